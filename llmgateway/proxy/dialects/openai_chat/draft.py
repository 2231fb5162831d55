"""A body that is being written: for whom, what is lost, and where each object of the caller's body went in it."""

from __future__ import annotations

import hashlib
import re

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Cache, File, Image, Json, Text
from llmgateway.proxy.conversation.request import Request, Tool
from llmgateway.proxy.dialects.breakpoints import takes_breakpoints
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.openai_chat.names import OPENAI, is_own

Made = dict[str, Json]

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALNUM9 = re.compile(r"[a-zA-Z0-9]{9}")


class Draft:
    """`own`: the request came in this dialect, so what has no slot is put back into its place."""

    __slots__ = ("_places", "body", "losses", "own", "request", "target")

    def __init__(self, request: Request, target: Target, losses: Losses) -> None:
        self.request = request
        self.target = target
        self.losses = losses
        self.own = is_own(request)
        self.body: Made = {"model": target.model}
        self._places: dict[str, Made] = {}

    @property
    def vendor(self) -> str:
        return self.target.facts.slug

    @property
    def openai(self) -> bool:
        """Whether it goes to OpenAI's own API."""
        return self.vendor in OPENAI

    @property
    def toolless(self) -> bool:
        """Whether how tools are called says nothing: OpenAI refuses it where there are none, other dialects take it."""
        return not self.own and not self.request.tools

    def lacks(self, *kinds: str) -> bool:
        return not self.target.facts.lacks.isdisjoint(kinds)

    def place(self, at: str, made: Made) -> Made:
        """`made` says what stood at `at`."""
        if self.own and at:
            self._places.setdefault(at, made)
        return made

    def marked(self, item: AnyPart | Tool, made: Made) -> Made:
        """With the item's cache mark, where the vendor has one."""
        self.place(item.at, made)
        if item.cache is None:
            return made
        if "cache" in self.target.facts.adds:
            made["cache_control"] = control(item.cache)
        elif self.breakpoints and isinstance(item, Text | Image | Audio | File):
            made["prompt_cache_breakpoint"] = {"mode": "explicit"}
        else:
            self.losses.hint(f"{item.at}.cache_control")
        return made

    @property
    def breakpoints(self) -> bool:
        """Whether pieces of content may be marked as the end of a cached prompt."""
        if self.own:
            return self.openai and "prompt_cache_options" in self.request.hints
        return takes_breakpoints(self.target)

    def call_id(self, id_: str) -> str:
        """The id of a call as the vendor takes it: the same for a call and its result."""
        if self.target.facts.tool_ids != "alnum9" or _ALNUM9.fullmatch(id_):
            return id_
        number = int.from_bytes(hashlib.blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        return "".join(_ALPHABET[number // 62**place % 62] for place in range(9))

    def restore(self) -> None:
        """Puts back what has no slot. What another dialect's caller sent that way is told to be lost."""
        for path, value in self.request.extra.items():
            if not (self.own and self._put(path, value)):
                self.losses.drop(path)
        for path, value in self.request.hints.items():
            if not self._takes(path) or not self._put(path, value):
                self.losses.hint(path)

    def _takes(self, path: str) -> bool:
        if path.startswith("stream_options."):
            return self.own and "stream_options" in self.body
        if self.own or not self.openai:
            return self.own
        return path in SHARED_HINTS and (path != "metadata" or self.request.hints.get("store") is True)

    def _put(self, path: str, value: Json) -> bool:
        at = path
        while at and at not in self._places:
            at = at[: max(at.rfind("."), at.rfind("["), 0)]
        holder, names = self._places.get(at, self.body), path[len(at) :].lstrip(".").split(".")
        if any("[" in name for name in names):
            return False
        for name in names[:-1]:
            inner = holder.setdefault(name, {})
            if type(inner) is not dict:
                return False
            holder = inner
        holder.setdefault(names[-1], value)
        return True


SHARED_HINTS = frozenset({"metadata", "store", "safety_identifier", "prompt_cache_retention"})
"""Hints that OpenAI's other dialect calls and means the same. Here metadata is only taken of what is stored."""


def control(cache: Cache) -> Made:
    return {"type": "ephemeral"} if cache.ttl == "5m" else {"type": "ephemeral", "ttl": cache.ttl}

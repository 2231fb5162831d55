"""A request, written for a provider that speaks this dialect."""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json, Text
from llmgateway.proxy.conversation.request import DEVELOPER, Format, Message, Request, Thinking
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.openai_responses.items_out import ItemsWriter
from llmgateway.proxy.dialects.openai_responses.names import ENCRYPTED, LOGPROBS, NAME, NAMES, TIERS
from llmgateway.proxy.dialects.openai_responses.own import Own
from llmgateway.proxy.dialects.openai_responses.tools_out import write_choice, write_tools
from llmgateway.proxy.dialects.unsaid import said

PLAIN = ("max_output", "temperature", "top_p", "top_logprobs", "parallel_tools")
"""Slots that are written as they are."""

MARKS = ("user", "cache_key")
"""Slots that change nothing about what is asked: a vendor that refuses them goes without."""

ABSENT = ("top_k", "min_p", "stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias", "prediction", "audio")
"""Slots that this dialect has no field for; some vendors add the first two."""

SAYS_NOTHING: dict[str, tuple[Json, ...]] = {"presence_penalty": (0,), "frequency_penalty": (0,), "logit_bias": ({},)}

SUMMARIES = {"auto": "auto", "concise": "concise", "detailed": "detailed", "full": "detailed"}
EFFORTS = ((0, "none"), (4096, "low"), (16384, "medium"))
"""The most tokens of a budget, and the effort that comes nearest."""


def render_request(request: Request, target: Target, losses: Losses) -> Json:
    target = target._replace(facts=target.facts.spoken(NAME))
    own = Own(request)
    writing = _Writing(request, target, losses, own)
    body: dict[str, Json] = {"model": target.model}
    writing.instructions(body)
    body["input"] = ItemsWriter(request, target, losses, own).write([*instructing(request, own), *request.messages])
    writing.tools(body)
    writing.slots(body)
    writing.text(body)
    writing.reasoning(body)
    writing.kept(body)
    writing.absent(body)
    if request.stream:
        body["stream"] = True
    own.into_body(body)
    own.tell(request, losses)
    return body


def _stood_in_input(part: Text, own: Own) -> bool:
    return own.own and part.at.startswith("input[")


def instructing(request: Request, own: Own) -> list[Message]:
    """The messages at the head of the caller's input that are among the instructions."""
    messages: list[Message] = []
    for part in request.system:
        path = part.at.rpartition(".content")[0]
        if not _stood_in_input(part, own):
            continue
        if not messages or messages[-1].at != path:
            messages.append(Message(role=request.named.get(path, DEVELOPER), at=path))
        messages[-1].parts.append(part)
    return messages


class _Writing:
    def __init__(self, request: Request, target: Target, losses: Losses, own: Own) -> None:
        self._request = request
        self._target = target
        self._losses = losses
        self._own = own

    def _allowed(self, slot: str, *, mark: bool = False) -> bool:
        if slot not in self._target.facts.lacks:
            return True
        field = self._request.field(slot)
        if mark:
            self._losses.hint(field)
        else:
            self._losses.drop(field, f"{self._target.facts.label} does not take it")
        return False

    def instructions(self, body: dict[str, Json]) -> None:
        parts = [part for part in self._request.system if not _stood_in_input(part, self._own)]
        for part in parts:
            if part.cache is not None:
                self._losses.hint(f"{part.at}.cache_control")
        if parts:
            body["instructions"] = "\n\n".join(part.text for part in parts)

    def tools(self, body: dict[str, Json]) -> None:
        """A choice that is left to the model says nothing where none can be made."""
        request, lacks = self._request, self._target.facts.lacks
        if request.tools and "tools" not in lacks:
            body["tools"] = write_tools(request, self._target, self._losses, self._own)
        elif request.tools:
            for tool in request.tools:
                self._losses.drop(tool.at, f"{self._target.facts.label} takes no tools")
        choice = request.tool_choice
        if choice is None or (choice.mode == "auto" and "tool_choice" in lacks):
            return
        if self._allowed("tool_choice"):
            body["tool_choice"] = write_choice(choice, request, self._own)

    def slots(self, body: dict[str, Json]) -> None:
        for slot in PLAIN:
            value = getattr(self._request, slot)
            if value is None or (slot in self._target.facts.lacks and not said(self._request, slot)):
                continue
            if self._allowed(slot):
                body[NAMES[slot]] = value
        for slot in MARKS:
            value = getattr(self._request, slot)
            if value and self._allowed(slot, mark=True):
                body[NAMES[slot]] = value
        tier = self._request.service_tier
        if tier and (self._own.own or tier in TIERS) and "service_tier" not in self._target.facts.lacks:
            body["service_tier"] = tier
        elif tier:
            self._losses.hint(self._request.field("service_tier"))
        if self._request.cache is not None:
            self._losses.hint(self._request.field("cache"))

    def text(self, body: dict[str, Json]) -> None:
        text: dict[str, Json] = {}
        if self._request.verbosity and self._allowed("verbosity", mark=True):
            text["verbosity"] = self._request.verbosity
        if self._request.format is not None:
            form = self._format(self._request.format)
            if form is not None:
                text["format"] = self._own.into(form, "text.format")
        if text := self._own.into(text, "text"):
            body["text"] = text

    def _format(self, form: Format) -> dict[str, Json] | None:
        if form.kind == "text":
            return None if "format" in self._target.facts.lacks else {"type": "text"}
        if form.kind == "json":
            return {"type": "json_object"} if self._allowed("format") else None
        if not self._target.facts.lacks.isdisjoint({"format", "json_schema"}):
            self._losses.drop(self._request.field("format"), f"{self._target.facts.label} takes no JSON schema")
            return None
        value: dict[str, Json] = {"type": "json_schema", "name": form.name or "answer", "schema": form.schema}
        if form.description:
            value["description"] = form.description
        if form.strict and "strict" in self._target.facts.lacks:
            self._losses.drop(f"{self._request.field('format')}.strict", f"{self._target.facts.label} does not hold a model to a schema")
        elif form.strict is not None:
            value["strict"] = form.strict
        return value

    def reasoning(self, body: dict[str, Json]) -> None:
        reasoning: dict[str, Json] = {}
        thinking = self._request.thinking
        if thinking is not None and self._allowed("thinking"):
            effort = self._effort(thinking)
            if effort:
                reasoning["effort"] = effort
            if thinking.show and "show" in self._target.facts.lacks:
                self._losses.hint(f"{self._request.field('thinking')}.summary")
            elif thinking.show in SUMMARIES or (thinking.show and self._own.own):
                reasoning["summary"] = SUMMARIES.get(thinking.show, thinking.show)
        if reasoning := self._own.into(reasoning, "reasoning"):
            body["reasoning"] = reasoning

    def _effort(self, thinking: Thinking) -> str:
        """A budget becomes the effort that comes nearest; -1 leaves it to the model, as saying nothing does."""
        if thinking.effort:
            return thinking.effort
        if thinking.enabled is False:
            return "none"
        if thinking.budget is None or thinking.budget < 0:
            return "medium" if thinking.enabled and self._thinks() else ""
        if thinking.budget:
            self._losses.hint(self._request.field("thinking"))
        return next((effort for most, effort in EFFORTS if thinking.budget <= most), "high")

    def _thinks(self) -> bool:
        """Whether it is a model that thinks, and so would take an effort. Of those whose vendor says nothing it is not known."""
        pattern = self._target.facts.encrypts
        return bool(pattern) and re.fullmatch(pattern, self._target.model.lower()) is not None

    def kept(self, body: dict[str, Json]) -> None:
        """A caller of another dialect keeps the conversation itself: nothing is stored for it, and what the model thought
        is given out encrypted, so that the caller can send it back."""
        include = list(self._own.take("", "include") or [])
        if self._request.logprobs and self._allowed("logprobs"):
            include.append(LOGPROBS)
        if not self._own.own:
            body["store"] = self._own.take("", "store") is True
            pattern = self._target.facts.encrypts
            if pattern and re.fullmatch(pattern, self._target.model):
                include.append(ENCRYPTED)
        if include:
            body["include"] = include

    def absent(self, body: dict[str, Json]) -> None:
        for slot in ABSENT:
            value = getattr(self._request, slot)
            if value is None or value == [] or value in SAYS_NOTHING.get(slot, ()):
                continue
            if slot in self._target.facts.adds:
                body[slot] = value
            else:
                self._losses.drop(self._request.field(slot))
        if (self._request.answers or 1) > 1:
            self._losses.drop(self._request.field("answers"), "there is one answer to a call")
        if any(modality != "text" for modality in self._request.modalities):
            self._losses.drop(self._request.field("modalities"), "answers are text")

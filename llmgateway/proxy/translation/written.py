"""A conversation as one wire dialect says it: first as it is, then, where that loses something, in other words for the same."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from llmgateway.proxy.conversation.customs import as_functions, custom_names
from llmgateway.proxy.conversation.demotion import demoted, instructions_inside
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.narrowing import narrowed
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.providers import CHAT, RESPONSES, Facts

ENCRYPTED = "reasoning.encrypted_content"


class Written:
    """A request as one wire dialect says it, with what it could not say. `customs` are the tools of free text that it had
    to write as functions."""

    __slots__ = ("body", "customs", "losses", "wire")

    def __init__(self, wire: str, body: Json, losses: Losses, customs: frozenset[str]) -> None:
        self.wire = wire
        self.body = body
        self.losses = losses
        self.customs = customs


def written_best(request: Request, wires: Iterable[str], *, model: str, facts: Facts) -> Written:
    """In the first of these wire dialects that says all of it, else in the one that loses the least."""
    tried: list[Written] = []
    for wire in wires:
        written = write(request, Target(dialect=wire, model=model, facts=facts))
        if not written.losses.fields:
            return written
        tried.append(written)
    return min(tried, key=lambda one: len(one.losses.fields))


def write(request: Request, target: Target) -> Written:
    customs: frozenset[str] = frozenset()
    if not target.facts.customs:
        customs, request = custom_names(request), as_functions(request)
    if target.dialect == CHAT:
        request = msgspec.structs.replace(request, stream_usage=request.stream and target.facts.usage_option)
    body, losses = _rendered(request, target)
    if request.field("tool_choice") in losses.fields and (chosen := narrowed(request)) is not None:
        request = chosen
        body, losses = _rendered(request, target)
    lost = frozenset(losses.fields)
    if inside := [place for place in instructions_inside(request) if place in lost]:
        body, losses = _rendered(demoted(request, frozenset(inside)), target)
        for place in inside:
            losses.hint(f"{place}.role")
    if target.dialect == RESPONSES:
        _keep_nothing(body, target)
    return Written(target.dialect, body, losses, customs)


def _rendered(request: Request, target: Target) -> tuple[Json, Losses]:
    losses = Losses(target.label)
    return DIALECTS[target.dialect].render_request(request, target, losses), losses


def _keep_nothing(body: Json, target: Target) -> None:
    """The caller keeps the conversation, the provider must not: and what it thought then has to come back with it."""
    body["store"] = False
    pattern = target.facts.encrypts
    if pattern and re.fullmatch(pattern, target.model.lower()):
        body["include"] = list(dict.fromkeys((*body.get("include", ()), ENCRYPTED)))

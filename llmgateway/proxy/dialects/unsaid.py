"""What a request asks for beyond the slots that a dialect writes: told to the losses in one place.

A value that asks for what would happen anyway (no penalty, one answer, no log probabilities) asks for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart
from llmgateway.proxy.conversation.request import Request, Tool

SLOTS = (
    "tool_choice",
    "max_output",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "answers",
    "format",
    "thinking",
    "modalities",
    "audio",
)
HINTS = ("user", "service_tier", "cache", "cache_key", "verbosity", "prediction", "parallel_tools")
"""How an answer is made, or how wordy it is: the call is worth making without."""

NEUTRAL: dict[str, tuple[object, ...]] = {
    "parallel_tools": (True,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "min_p": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "answers": (1,),
    "verbosity": ("medium",),
    "modalities": (["text"],),
}


def said(request: Request, slot: str) -> bool:
    """Whether the slot asks for something."""
    value = getattr(request, slot)
    if slot == "parallel_tools" and not request.tools:
        return False
    if value is None or (isinstance(value, str | list | dict) and not value):
        return False
    return value not in NEUTRAL.get(slot, ())


def drop_unwritten(request: Request, losses: Losses, *, written: Iterable[str], why: str = "") -> None:
    """Tells every slot that asks for something and is not among the `written` ones."""
    known = frozenset(written)
    for slot in SLOTS:
        if slot not in known and said(request, slot):
            losses.drop(request.field(slot), why)
    for slot in HINTS:
        if slot not in known and said(request, slot):
            losses.hint(request.field(slot))


def drop_others(request: Request, losses: Losses, *, own: Iterable[str] = ()) -> None:
    """Tells what has no slot, but for the names that are this dialect's own (and are written by it, wherever they came)."""
    known = tuple(own)
    for path in request.extra:
        if path.split(".", 1)[0] not in known:
            losses.drop(path)
    for path in request.hints:
        if path.split(".", 1)[0] not in known:
            losses.hint(path)


def hint_cache(item: AnyPart | Tool, losses: Losses) -> None:
    if item.cache is not None:
        losses.hint(f"{item.at}.cache_control")

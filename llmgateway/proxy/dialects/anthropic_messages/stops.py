"""Why a model stopped, in Anthropic's words and in the house's."""

from __future__ import annotations

from typing import NamedTuple

from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, PAUSE, SEQUENCE, TOOL

WINDOW = "model_context_window_exceeded"

_READ = {
    "end_turn": END,
    "max_tokens": LENGTH,
    "stop_sequence": SEQUENCE,
    "tool_use": TOOL,
    "pause_turn": PAUSE,
    "refusal": FILTER,
    WINDOW: LENGTH,
}
_WRITTEN = {END: "end_turn", LENGTH: "max_tokens", SEQUENCE: "stop_sequence", TOOL: "tool_use", PAUSE: "pause_turn", FILTER: "refusal"}


class Read(NamedTuple):
    stop: str
    native: str


def read(reason: str) -> Read:
    """A reason that nobody knows ends the answer, and is kept. `native` is "" where the house's word says all of it."""
    stop = _READ.get(reason, END)
    return Read(stop, "" if _WRITTEN[stop] == reason else reason)


def write(stop: str, native: str = "", *, refused: bool = False, called: bool = False) -> str:
    """`refused` and `called`: what the answer holds. Some vendors end one that calls tools as if it were done."""
    if refused:
        return _WRITTEN[FILTER]
    if called and stop in (END, ""):
        return _WRITTEN[TOOL]
    return WINDOW if native == WINDOW else _WRITTEN.get(stop, "end_turn")

"""Why a model stopped, in this dialect's words.

OpenAI ends a refusal, and an answer whose tool was prescribed, with the word `stop`. So a refusal that stopped is read as
filtered, and calls that stopped as waiting for their tools: the other dialects have words for both.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, PAUSE, SEQUENCE, TOOL
from llmgateway.proxy.conversation.parts import AnyPart, Refused, ToolCall

READ = {
    "stop": END,
    "length": LENGTH,
    "model_length": LENGTH,
    "max_tokens": LENGTH,
    "tool_calls": TOOL,
    "function_call": TOOL,
    "content_filter": FILTER,
    "": "",
}
WRITTEN = {END: "stop", SEQUENCE: "stop", PAUSE: "stop", LENGTH: "length", TOOL: "tool_calls", FILTER: "content_filter", "": "stop"}

FAILED = "error"
"""OpenRouter's word for an answer that broke off: never a success."""


def read_stop(word: str, native: str, *, refused: bool, called: bool) -> tuple[str, str]:
    """The stop and the vendor's own word, where it is another one. A word that nobody knows is an end."""
    stop = READ.get(word, END)
    if stop == END and (called or refused):
        stop = TOOL if called else FILTER
    own = native or ("" if word in READ else word)
    return stop, "" if own in READ else own


def write_stop(stop: str, *, refused: bool) -> str:
    return "stop" if stop == FILTER and refused else WRITTEN.get(stop, "stop")


def refuses(parts: Iterable[AnyPart]) -> bool:
    return any(isinstance(part, Refused) for part in parts)


def calls(parts: Iterable[AnyPart]) -> bool:
    return any(isinstance(part, ToolCall) for part in parts)

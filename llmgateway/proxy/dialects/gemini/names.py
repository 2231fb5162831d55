"""The words of the dialect that more than one module needs."""

from __future__ import annotations

from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH

VENDOR = "gemini"
"""What signatures, special parts and vendor tools of Gemini and Vertex are marked with."""

FINISH = {
    "FINISH_REASON_UNSPECIFIED": END,
    "STOP": END,
    "MAX_TOKENS": LENGTH,
    "SAFETY": FILTER,
    "RECITATION": FILTER,
    "LANGUAGE": FILTER,
    "BLOCKLIST": FILTER,
    "PROHIBITED_CONTENT": FILTER,
    "SPII": FILTER,
    "IMAGE_SAFETY": FILTER,
    "IMAGE_PROHIBITED_CONTENT": FILTER,
    "IMAGE_RECITATION": FILTER,
    "MODEL_ARMOR": FILTER,
    "OTHER": END,
    "MALFORMED_FUNCTION_CALL": END,
    "UNEXPECTED_TOOL_CALL": END,
    "TOO_MANY_TOOL_CALLS": END,
    "MISSING_THOUGHT_SIGNATURE": END,
    "MALFORMED_RESPONSE": END,
    "IMAGE_OTHER": END,
    "NO_IMAGE": END,
    "ESCALATION": END,
    "CONTINUATION": END,
    "PUP_LIMITED_DISABLED": END,
}
"""Why a candidate ended. A model that went wrong (`MALFORMED_FUNCTION_CALL`, …) has ended: its own word is kept beside it."""

PLAIN = frozenset({"FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS"})
"""Reasons that say no more than the conversation's own word."""

MALFORMED_CALL = "MALFORMED_FUNCTION_CALL"

BLOCKED = "promptFeedback."
"""Before the reason in `native_stop`: the prompt was blocked, there is no candidate."""


def made_id(message: int, part: int) -> str:
    """The id of a call that came without one, in a request: by its place, so that it is the same each time it is replayed."""
    return f"call_{message}_{part}"

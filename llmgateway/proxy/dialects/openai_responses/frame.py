"""The Response object around what a model said: what was asked, told back, and how it ended."""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.answer import FILTER, LENGTH
from llmgateway.proxy.conversation.events import Stop
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Asked

ECHOED: tuple[tuple[str, Json], ...] = (
    ("background", False),
    ("instructions", None),
    ("max_output_tokens", None),
    ("max_tool_calls", None),
    ("metadata", {}),
    ("parallel_tool_calls", True),
    ("previous_response_id", None),
    ("prompt_cache_key", None),
    ("prompt_cache_retention", None),
    ("reasoning", {"effort": None, "summary": None}),
    ("safety_identifier", None),
    ("temperature", 1.0),
    ("text", {"format": {"type": "text"}}),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_logprobs", 0),
    ("top_p", 1.0),
    ("truncation", "disabled"),
    ("user", None),
)
"""Members of the request that the answer repeats, with what stands there when they were not said."""

UNFINISHED = frozenset({"queued", "in_progress", "cancelled"})
REASONS = {LENGTH: "max_output_tokens", FILTER: "content_filter"}


def token(asked: Asked) -> str:
    """What ids of this answer are made of: stable, and of the letters and digits that ids have here."""
    return re.sub(r"[^A-Za-z0-9]", "", asked.id) or "0"


def frame(asked: Asked, ident: str, created: int) -> dict[str, Json]:
    """A response that has just begun. The house stores none, whatever was asked; which service tier it is made in is not
    known before its provider has said so."""
    body = asked.body if isinstance(asked.body, dict) else {}
    response: dict[str, Json] = {
        "id": ident if ident.startswith("resp_") else f"resp_{token(asked)}",
        "object": "response",
        "created_at": created or asked.created,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": asked.model,
        "output": [],
        "service_tier": "default",
        "store": False,
        "usage": None,
    }
    for name, otherwise in ECHOED:
        value = body.get(name)
        response[name] = otherwise if value is None else value
    return response


def end(response: dict[str, Json], stop: Stop) -> str:
    """Writes how it ended into the response; returns its status."""
    if stop.stop in REASONS:
        response["incomplete_details"] = {"reason": REASONS[stop.stop]}
        status = "incomplete"
    elif not stop.stop and stop.native_stop in UNFINISHED:
        status = stop.native_stop
    else:
        status = "completed"
    response["status"] = status
    return status

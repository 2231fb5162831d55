"""A request of one of these endpoints, as the rest of the gateway reads requests: its fields as JSON, whatever they came in."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from dataplane.asgi import Request
from llmgateway.proxy.dialects.endpoint import Endpoint
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.media.forms import Form

_FLAGS = {"true": True, "false": False, "1": True, "0": False, "": None}
_NUMBER = re.compile(r"-?[0-9]{1,18}")

FLAGS = frozenset({"stream"})
NUMBERS = frozenset({"n", "partial_images", "frame_count"})
SINGLE = FLAGS | NUMBERS | {"size", "quality", "response_format"}
"""Fields of a form by which a call is bounded and read: each may be there once."""


class FormInbound(Inbound):
    """Its `body` is not what is sent: that is the form. It holds the form's texts as a JSON object, for its `fields`."""

    __slots__ = ("form",)

    def __init__(self, endpoint: Endpoint, request: Request, form: Form) -> None:
        """Raises BadRequest."""
        super().__init__(endpoint, request, msgspec.json.encode({name: _typed(name, text) for name, text in form.fields.items()}))
        self.form = form


def _typed(name: str, text: str) -> Any:
    """A form has texts only. What is neither a number nor a flag where one belongs is refused by whoever reads it."""
    if name in FLAGS:
        return _FLAGS.get(text.strip().lower(), text)
    if name in NUMBERS and _NUMBER.fullmatch(text.strip()):
        return int(text)
    return text

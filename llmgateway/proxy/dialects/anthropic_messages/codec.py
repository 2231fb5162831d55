"""Anthropic Messages, as a dialect. `count` beside it reads and writes count_tokens."""

from __future__ import annotations

from llmgateway.proxy.dialects.anthropic_messages.answer import parse_answer, render_answer
from llmgateway.proxy.dialects.anthropic_messages.errors import parse_error, render_error
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC
from llmgateway.proxy.dialects.anthropic_messages.request_in import parse_request
from llmgateway.proxy.dialects.anthropic_messages.request_out import render_request
from llmgateway.proxy.dialects.anthropic_messages.stream_in import MessagesReader
from llmgateway.proxy.dialects.anthropic_messages.stream_out import MessagesWriter
from llmgateway.proxy.dialects.dialect import Dialect

DIALECT = Dialect(
    name=ANTHROPIC,
    label="Anthropic Messages",
    parse_request=parse_request,
    render_request=render_request,
    parse_answer=parse_answer,
    render_answer=render_answer,
    reader=MessagesReader,
    writer=MessagesWriter,
    parse_error=parse_error,
    render_error=render_error,
)

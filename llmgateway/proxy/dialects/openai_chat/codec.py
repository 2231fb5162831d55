"""OpenAI Chat Completions, and what the vendors of that dialect have made of it."""

from __future__ import annotations

from llmgateway.proxy.dialects.dialect import Dialect
from llmgateway.proxy.dialects.openai_chat.answer_in import parse_answer
from llmgateway.proxy.dialects.openai_chat.answer_out import render_answer
from llmgateway.proxy.dialects.openai_chat.errors import parse_error, render_error
from llmgateway.proxy.dialects.openai_chat.names import CHAT
from llmgateway.proxy.dialects.openai_chat.request_in import parse_request
from llmgateway.proxy.dialects.openai_chat.request_out import render_request
from llmgateway.proxy.dialects.openai_chat.stream_in import ChatReader
from llmgateway.proxy.dialects.openai_chat.stream_out import ChatWriter

DIALECT = Dialect(
    name=CHAT,
    label="OpenAI Chat Completions",
    parse_request=parse_request,
    render_request=render_request,
    parse_answer=parse_answer,
    render_answer=render_answer,
    reader=ChatReader,
    writer=ChatWriter,
    parse_error=parse_error,
    render_error=render_error,
)

"""The dialect `openai-responses`: OpenAI Responses, as OpenAI and the vendors that serve it speak it."""

from __future__ import annotations

from llmgateway.proxy.dialects.dialect import Dialect
from llmgateway.proxy.dialects.openai_responses.answer import parse_answer, render_answer
from llmgateway.proxy.dialects.openai_responses.errors import parse_error, render_error
from llmgateway.proxy.dialects.openai_responses.names import NAME
from llmgateway.proxy.dialects.openai_responses.request_in import parse_request
from llmgateway.proxy.dialects.openai_responses.request_out import render_request
from llmgateway.proxy.dialects.openai_responses.stream_in import ResponsesReader
from llmgateway.proxy.dialects.openai_responses.stream_out import ResponsesWriter

DIALECT = Dialect(
    name=NAME,
    label="OpenAI Responses",
    parse_request=parse_request,
    render_request=render_request,
    parse_answer=parse_answer,
    render_answer=render_answer,
    reader=ResponsesReader,
    writer=ResponsesWriter,
    parse_error=parse_error,
    render_error=render_error,
)

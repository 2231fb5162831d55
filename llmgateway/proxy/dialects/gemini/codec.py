"""Gemini's generateContent, as the Gemini API and Vertex AI speak it."""

from __future__ import annotations

from llmgateway.proxy.dialects.dialect import Dialect
from llmgateway.proxy.dialects.gemini.answer import parse_answer, render_answer
from llmgateway.proxy.dialects.gemini.errors import parse_error, render_error
from llmgateway.proxy.dialects.gemini.names import VENDOR
from llmgateway.proxy.dialects.gemini.request_in import parse_request
from llmgateway.proxy.dialects.gemini.request_out import render_request
from llmgateway.proxy.dialects.gemini.stream_in import reader
from llmgateway.proxy.dialects.gemini.stream_out import writer

DIALECT = Dialect(
    name=VENDOR,
    label="Gemini generateContent",
    parse_request=parse_request,
    render_request=render_request,
    parse_answer=parse_answer,
    render_answer=render_answer,
    reader=reader,
    writer=writer,
    parse_error=parse_error,
    render_error=render_error,
)

"""Cohere's chat (v2): spoken to upstreams only."""

from __future__ import annotations

from llmgateway.proxy.dialects.cohere.answer import parse_answer, render_answer
from llmgateway.proxy.dialects.cohere.errors import parse_error, render_error
from llmgateway.proxy.dialects.cohere.request_in import parse_request
from llmgateway.proxy.dialects.cohere.request_out import render_request
from llmgateway.proxy.dialects.cohere.stream_in import CohereReader
from llmgateway.proxy.dialects.cohere.stream_out import CohereWriter
from llmgateway.proxy.dialects.dialect import Dialect

DIALECT = Dialect(
    name="cohere",
    label="Cohere v2",
    parse_request=parse_request,
    render_request=render_request,
    parse_answer=parse_answer,
    render_answer=render_answer,
    reader=CohereReader,
    writer=CohereWriter,
    parse_error=parse_error,
    render_error=render_error,
)

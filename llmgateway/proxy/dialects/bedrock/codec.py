"""Amazon Bedrock's Converse: spoken to upstreams only."""

from __future__ import annotations

from llmgateway.proxy.dialects.bedrock.answer import parse_answer, render_answer
from llmgateway.proxy.dialects.bedrock.errors import parse_error, render_error
from llmgateway.proxy.dialects.bedrock.request_in import parse_request
from llmgateway.proxy.dialects.bedrock.request_out import render_request
from llmgateway.proxy.dialects.bedrock.stream_in import ConverseReader
from llmgateway.proxy.dialects.bedrock.stream_out import ConverseWriter
from llmgateway.proxy.dialects.dialect import Dialect

DIALECT = Dialect(
    name="bedrock",
    label="Amazon Bedrock Converse",
    parse_request=parse_request,
    render_request=render_request,
    parse_answer=parse_answer,
    render_answer=render_answer,
    reader=ConverseReader,
    writer=ConverseWriter,
    parse_error=parse_error,
    render_error=render_error,
)

"""All wire dialects that generation is translated between, by name."""

from __future__ import annotations

from llmgateway.proxy.dialects.anthropic_messages.codec import DIALECT as ANTHROPIC
from llmgateway.proxy.dialects.bedrock.codec import DIALECT as BEDROCK
from llmgateway.proxy.dialects.cohere.codec import DIALECT as COHERE
from llmgateway.proxy.dialects.dialect import Dialect
from llmgateway.proxy.dialects.gemini.codec import DIALECT as GEMINI
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT as CHAT
from llmgateway.proxy.dialects.openai_responses.codec import DIALECT as RESPONSES

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (CHAT, RESPONSES, ANTHROPIC, GEMINI, BEDROCK, COHERE)}

"""Parts written as Converse's content blocks, for requests and for answers."""

from __future__ import annotations

import base64
import hashlib
import re

from llmgateway.proxy.conversation.parts import Cache, Json, Reasoning, Signature, Text
from llmgateway.proxy.conversation.seals import wrap
from llmgateway.proxy.dialects.bedrock.citations import write_citation
from llmgateway.proxy.dialects.bedrock.media import VENDOR

_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def tool_id(call_id: str) -> str:
    """An id as Bedrock takes it: the caller's own, or one made of it, always the same for the same."""
    if _TOOL_ID.fullmatch(call_id):
        return call_id
    return f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:40]}"


def cache_point(cache: Cache) -> Json:
    return {"cachePoint": {"type": "default"} if cache.ttl == "5m" else {"type": "default", "ttl": cache.ttl}}


def redacted_block(value: str) -> Json:
    return {"reasoningContent": {"redactedContent": value}}


def sealed_block(signature: Signature, kind: str) -> Json:
    """Another vendor's value in the place that Bedrock has for opaque ones."""
    return redacted_block(base64.b64encode(wrap(signature, kind).encode()).decode())


def reasoning_block(part: Reasoning) -> Json:
    """For an answer: what is another vendor's is wrapped."""
    signature = part.signature
    if part.redacted:
        if signature is None:
            return redacted_block("")
        return redacted_block(signature.value) if signature.vendor == VENDOR else sealed_block(signature, "redacted")
    told: dict[str, Json] = {"text": part.text or "\n\n".join(part.summary)}
    if signature is not None:
        told["signature"] = signature.value if signature.vendor == VENDOR else wrap(signature, "reasoning")
    return {"reasoningContent": {"reasoningText": told}}


def text_block(part: Text) -> Json:
    if not part.citations:
        return {"text": part.text}
    return {"citationsContent": {"content": [{"text": part.text}], "citations": [write_citation(one) for one in part.citations]}}

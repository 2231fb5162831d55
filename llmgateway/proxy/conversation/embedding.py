"""Texts and the vectors that stand for them, whatever the dialect they were asked in.

The rules are those of `request` and `answer`: a slot that is None (or empty) was not said, `named` tells what the caller
calls a slot, `hints` changes nothing about the vectors, `extra` has no slot and only the same dialect expresses it.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.parts import Json

QUERY, DOCUMENT, SIMILARITY, CLASSIFICATION, CLUSTERING = "query", "document", "similarity", "classification", "clustering"
ANSWERING, VERIFICATION, CODE = "question_answering", "fact_verification", "code_query"
TASKS = (QUERY, DOCUMENT, SIMILARITY, CLASSIFICATION, CLUSTERING, ANSWERING, VERIFICATION, CODE)
"""What a vector is for. OpenAI has no such field; Cohere knows the first two, classification and clustering; Gemini knows all."""

TRUNCATIONS = ("none", "start", "end")
"""What becomes of a text that is too long: it is refused, or loses its beginning or its end."""


class EmbedRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`inputs` are embedded one vector each, in order. `single` says that the caller sent one text and not a list of them,
    where its dialect answers the two differently. `task` is one of TASKS, `truncate` one of TRUNCATIONS.

    `encodings` are the forms asked for: float, base64 (of little-endian float32), int8, uint8, binary, ubinary; none said
    is float. Texts given as token ids, and images, have no slot: they stand in `extra`."""

    model: str = ""
    inputs: list[str] = []
    single: bool = False
    dimensions: int | None = None
    task: str = ""
    title: str = ""
    """The title of the document that all inputs belong to."""
    truncate: str = ""
    encodings: list[str] = []
    user: str = ""
    hints: dict[str, Json] = {}
    extra: dict[str, Json] = {}
    named: dict[str, str] = {}

    def field(self, slot: str) -> str:
        """What the caller calls this slot."""
        return self.named.get(slot, slot)


class EmbedAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One vector for each input, in order, as floats. `usage` are the house's buckets, {} when nothing was told (Gemini's
    API tells none). `others` are forms other than float by their name, each a list as long as `vectors`."""

    id: str = ""
    model: str = ""
    vectors: list[list[float]] = []
    others: dict[str, Json] = {}
    usage: Usage = {}
    extra: dict[str, Json] = {}

"""Which questions to a model are the same, and which are never answered from the cache.

Two are the same when everything agrees that may change the answer: who shares it (the team), what the model is, the
policies, the endpoint, and every member of the body as the bytes that were sent. Nothing is guessed: what is not known to
be without effect counts.
"""

from __future__ import annotations

import re
from hashlib import sha256

import msgspec

from dataplane.answers import policy_version
from dataplane.errors import BadRequest
from dataplane.keeping import Question
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from llmgateway.proxy.body import Fields
from llmgateway.proxy.inbound import LOSSY, Inbound
from llmgateway.proxy.providers import RESPONSES
from llmgateway.proxy.runtime import Model
from llmgateway.proxy.stored.owners import owner_of
from llmgateway.proxy.stored.references import references

WITHOUT_EFFECT = frozenset(
    {"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "store"},
)
"""Members that only tell the provider for whom and how to keep what it makes. Responses tells them back in its answers, so
there they count."""

STORED = frozenset(
    {"previous_response_id", "conversation", "prompt", "background", "container", "cachedContent", "cached_content"},
)
"""Members that refer to what is stored at a provider, which changes while its name stays."""

HEADERS = (b"anthropic-beta", b"anthropic-version", b"openai-beta", LOSSY)

_FILES = re.compile(rb'"file(?:Uri|_uri)"|\\u00[4-7]')
"""Google's files, or a letter that is written as an escape: their name could hide behind it."""

_NOTHING = (b"null", b"false")
_MEMBER = re.compile(rb'[\s]*[{,][ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*')
_END = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")


def question_of(inbound: Inbound, *, key: KeyRecord, model: Model, snapshot: Snapshot) -> Question | None:
    """None for one that is never answered from the cache. `key` and `model` have agreed to it."""
    seconds = model.record.cache_ttl
    wants = _cache_control(inbound)
    if not seconds or "no-store" in wants or inbound.endpoint.free or not _stands_alone(inbound):
        return None
    return Question(_key(inbound, key=key, model=model, snapshot=snapshot), seconds=seconds, read=wants.isdisjoint(_FRESH))


_FRESH = frozenset({"no-cache", "max-age=0"})


def _cache_control(inbound: Inbound) -> frozenset[str]:
    raw = inbound.request.headers.get(b"cache-control")
    return frozenset() if raw is None else frozenset(part.strip().lower() for part in raw.decode("latin-1").split(","))


def _stands_alone(inbound: Inbound) -> bool:
    """Whether the answer depends on nothing but the question, and nothing but the answer comes of it."""
    fields, body = inbound.fields, inbound.body
    if any(_told(fields, name) not in (b"", *_NOTHING) for name in STORED):
        return False
    store = _told(fields, "store")
    if store == b"true" or (inbound.endpoint.wire == RESPONSES and store != b"false"):
        return False
    try:
        if inbound.remarkable and (_FILES.search(body) or references(fields)):
            return False
    except BadRequest:
        return False
    return one_of_each(body, fields)


def _told(fields: Fields, name: str) -> bytes:
    raw = fields.get(name)
    return b"" if raw is None else bytes(memoryview(raw))


def one_of_each(body: bytes, fields: Fields) -> bool:
    """Whether no member of the body is named twice: which of two counts is up to whoever reads it. `fields` are its members."""
    at = 0
    for name, raw in fields.items():
        found = _MEMBER.match(body, at)
        value = bytes(memoryview(raw))
        if found is None or not body.startswith(value, found.end()) or msgspec.json.decode(found[1]) != name:
            return False
        at = found.end() + len(value)
    return _END.fullmatch(body, at) is not None


def _key(inbound: Inbound, *, key: KeyRecord, model: Model, snapshot: Snapshot) -> bytes:
    endpoint, fields, given = inbound.endpoint, inbound.fields, inbound.request.headers
    parts = [
        owner_of(key).encode(),
        model.record.name.encode(),
        model.fingerprint,
        policy_version(snapshot).encode(),
        endpoint.wire.encode(),
        inbound.path.encode(),
        b"stream" if inbound.stream else b"whole",
        inbound.query().encode("latin-1"),
        *(given.get(name, b"") for name in HEADERS),
    ]
    ignored = frozenset() if endpoint.wire == RESPONSES else WITHOUT_EFFECT
    for name in sorted(fields):
        if name not in ignored:
            parts += (name.encode("utf-8", "surrogatepass"), bytes(memoryview(fields[name])))
    digest = sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()

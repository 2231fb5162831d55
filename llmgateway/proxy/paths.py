"""Where a provider answers to one wire dialect: the path behind its base URL."""

from __future__ import annotations

import re
from urllib.parse import quote

_VERSION = re.compile(r"/v\d[a-z0-9]*(?:$|/)")
_DEFAULT_VERSIONS = {"anthropic": "/v1", "gemini": "/v1beta"}


def base_url(base: str, dialect: str) -> str:
    """Some SDKs leave the version to the client, others have it in the base: both ways of writing it are taken. OpenAI's
    base always ends where the endpoint's path begins, and Cohere's and Bedrock's versions belong to their paths."""
    base = base.rstrip("/")
    version = _DEFAULT_VERSIONS.get(dialect)
    if version is not None and not _VERSION.search(base):
        base += version
    if dialect == "cohere":
        base = re.sub(r"/v\d$", "", base)
    return base


def gemini_prefix(base: str) -> str:
    """Vertex AI has models below the project's publishers, the Gemini API right behind its version."""
    return "/publishers/google" if "/projects/" in base and "/publishers/" not in base else ""


def filled(path: str, model: str) -> str:
    """The path with the model's name in it, quoted. A colon stays: Google's methods stand behind one."""
    return path.replace("{model}", quote(model, safe="/@.-_~")) if "{model}" in path else path

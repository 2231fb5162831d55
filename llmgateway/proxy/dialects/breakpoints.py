"""Which of OpenAI's models take marks of where a prompt's cache may end (`prompt_cache_breakpoint`)."""

from __future__ import annotations

import re

from llmgateway.proxy.dialects.dialect import Target

_MODELS = re.compile(r"gpt-(?:5\.(?:[6-9]|[1-9][0-9])|[6-9]|[1-9][0-9])(?:[-.].*)?")
"""gpt-5.6 and later, as OpenAI's reference says; earlier ones refuse the field, and keep what they please by themselves."""


def takes_breakpoints(target: Target) -> bool:
    return target.facts.slug == "openai" and _MODELS.fullmatch(target.model.lower()) is not None

"""Real providers at hand: vendors whose key is in the environment, and an Ollama on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import structlog
from django.core.exceptions import ValidationError

from adminkit import outbound
from config.tour.contents import TEAM
from identity.actions import grant
from identity.models import Team
from llmgateway import actions
from llmgateway.models import Model, Provider
from llmgateway.probe import probe
from llmgateway.vendors import LOCAL_VENDORS, VENDORS

log = structlog.get_logger(__name__)

MODELS_AT_MOST = 20
"""Of what a vendor lists; the admin's import page has the rest."""

QUICK = 1.0
"""Seconds that an Ollama on this machine has to answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a key is looked for, and which of the vendor's models a newcomer would try: the cheap and quick ones."""

    variables: tuple[str, ...]
    preferred: tuple[str, ...] = ()


SOURCES: Mapping[str, Source] = {
    "openai": Source(("OPENAI_API_KEY",), ("gpt-4o-mini", "gpt-4.1-mini", "gpt-4.1-nano")),
    "anthropic": Source(("ANTHROPIC_API_KEY",), ("claude-haiku-4-5", "claude-3-5-haiku-latest")),
    "google": Source(("GEMINI_API_KEY", "GOOGLE_API_KEY"), ("gemini-2.5-flash-lite", "gemini-2.5-flash")),
    "mistral": Source(("MISTRAL_API_KEY",), ("mistral-small-latest",)),
    "openrouter": Source(("OPENROUTER_API_KEY",), ("openai/gpt-4o-mini",)),
    "groq": Source(("GROQ_API_KEY",), ("llama-3.1-8b-instant",)),
    "deepseek": Source(("DEEPSEEK_API_KEY",), ("deepseek-flash", "deepseek-chat")),
    "x-ai": Source(("XAI_API_KEY",)),
    "cohere": Source(("COHERE_API_KEY", "CO_API_KEY")),
    "together": Source(("TOGETHER_API_KEY",)),
    "fireworks": Source(("FIREWORKS_API_KEY",)),
    "cerebras": Source(("CEREBRAS_API_KEY",), ("llama3.1-8b",)),
    "perplexity": Source(("PERPLEXITY_API_KEY",), ("perplexity/sonar", "sonar")),
    "moonshotai": Source(("MOONSHOT_API_KEY",)),
}


def register_found(environ: Mapping[str, str] | None = None) -> list[str]:
    """Registers what is found and not registered yet. Names of models to try first, best first. A vendor that does not
    answer is registered all the same: its health says what is wrong."""
    environ = os.environ if environ is None else environ
    to_try: list[str] = []
    for vendor in VENDORS:
        source = SOURCES.get(vendor.slug)
        key = next((environ[name].strip() for name in source.variables if environ.get(name, "").strip()), None) if source else None
        if source is None or key is None or Provider.objects.filter(name=vendor.slug).exists():
            continue
        try:
            provider = actions.create_provider(actor=None, name=vendor.slug, dialect=vendor.dialect, base_url=vendor.base_url, api_key=key)
        except ValidationError as error:
            log.warning("tour.provider_refused", provider=vendor.slug, problems=error.messages)
            continue
        to_try += _import(provider, source)
    return to_try + _ollama()


def _ollama() -> list[str]:
    vendor = next(vendor for vendor in LOCAL_VENDORS if vendor.slug == "ollama")
    if Provider.objects.filter(name=vendor.slug).exists() or not _answers(f"{vendor.base_url}/models"):
        return []
    provider = actions.create_provider(
        actor=None, name=vendor.slug, dialect=vendor.dialect, base_url=vendor.base_url, allow_private_network=True
    )
    return _import(provider, Source(()))


def _answers(url: str) -> bool:
    try:
        with outbound.client(allow_private=True, timeout=QUICK, total_seconds=QUICK) as client:
            return client.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def _import(provider: Provider, source: Source) -> list[str]:
    """Registers some of what the provider offers and lets the tour's team use it."""
    finding = probe(provider)
    actions.record_health(actor=None, provider=provider, error=finding.sentence, latency_ms=finding.latency_ms)
    preferred = [name for name in source.preferred if name in finding.models]
    names = list(dict.fromkeys((*preferred, *finding.models)))[:MODELS_AT_MOST]
    if not names:
        return []
    imported = actions.import_models(actor=None, provider=provider, names=names)
    team = Team.objects.get(name=TEAM)
    for model in Model.objects.filter(name__in=imported.created):
        grant(actor=None, to=team, obj=model)
    log.info("tour.provider_registered", provider=provider.name, models=len(imported.created))
    return [name for name in (preferred or names[:1]) if name in imported.created]

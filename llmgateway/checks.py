"""System checks of what the LLM gateway relies on: run by `manage.py check` and before every start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from dataplane.sealing import SealError
from llmgateway.credentials import open_credential, sealer


@register(Tags.security)
def sealing_keys_are_usable(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """Without a sealing key no credential can be stored or used."""
    try:
        sealer()
    except ValueError as error:
        return [Error(f"Provider credentials can't be sealed: {error}.", hint="Set CUSTOMHOUSE_SEAL_KEY.", id="llmgateway.E001")]
    return []


@register(Tags.database)
def stored_credentials_open(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """A credential sealed with a key that is gone fails every call of its provider; better said before the start.

    Database checks run only where they are asked for (`migrate`, `check --database`), and the tables may not exist yet.
    """
    from llmgateway.models import Provider

    if not databases or not settings.CUSTOMHOUSE.seal_keys:
        return []
    try:
        providers = list(Provider.objects.exclude(credential=None))
    except DatabaseError:
        return []
    return [
        checks.Warning(
            f"The credential of the provider {provider.name} does not open with the sealing keys that are set.",
            hint="Add the old key behind the new one in CUSTOMHOUSE_SEAL_KEY, or enter the credential again.",
            id="llmgateway.W001",
        )
        for provider in providers
        if not _opens(provider)
    ]


def _opens(provider: Any) -> bool:
    """The one in use: what waits beside it fails no call, and is told when it is switched to."""
    try:
        open_credential(provider)
    except SealError:
        return False
    return True

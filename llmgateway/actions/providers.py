"""Writes to providers. A credential enters here in clear, is sealed at once, and leaves no trace in the audit trail."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit import trail
from identity.models import User
from llmgateway.actions.fields import assign, collecting, naming, public_fields
from llmgateway.choices import Health
from llmgateway.credentials import seal
from llmgateway.models import Provider
from llmgateway.validators import clean_base_url, clean_credential, clean_headers
from llmgateway.vendors import guess_vendor

FIELDS = (
    "name",
    "dialect",
    "base_url",
    "vendor",
    "allow_private_network",
    "connect_timeout",
    "read_timeout",
    "total_timeout",
    "headers",
    "enabled",
)
REACH = frozenset({"dialect", "base_url", "allow_private_network", "headers", "credential"})
"""What a health state is about: when one of them changes, the old state says nothing any more."""


@transaction.atomic
def create_provider(*, actor: User | None, name: str, dialect: str, base_url: str, api_key: str | None = None, **fields: Any) -> Provider:
    """`fields` are the further columns of FIELDS. Without `vendor` it is guessed from the address."""
    provider = Provider()
    _assign(provider, {"name": name, "dialect": dialect, "base_url": base_url, **fields})
    provider.save(force_insert=True)
    changes = trail.diff({}, public_fields(provider, FIELDS))
    if api_key is not None:
        _seal_into(provider, api_key)  # after the insert: the seal is bound to the primary key
        provider.save(update_fields=["credential", "credential_set_at"])
        changes["credential"] = _credential_change(False)
    trail.record(actor=actor, action="llmgateway.provider.create", target=provider, changes=changes)
    return provider


@transaction.atomic
def update_provider(*, actor: User | None, provider: Provider, api_key: str | None = None, **fields: Any) -> Provider:
    """Changes the named columns, and the credential when one is given; what stays the same leaves no audit row."""
    provider = locked(provider)
    before, had_credential = public_fields(provider, FIELDS), provider.has_credential
    if "base_url" in fields and "vendor" not in fields and provider.vendor == guess_vendor(provider.base_url):
        fields["vendor"] = ""
    _assign(provider, fields)
    changes = trail.diff(before, public_fields(provider, FIELDS))
    if api_key is None:
        _refuse_moving_the_credential(provider, changes)
    else:
        if _moves(changes):
            _clear_waiting(provider)
        _seal_into(provider, api_key)
        changes["credential"] = _credential_change(had_credential)
    if not changes:
        return provider
    if REACH & set(changes):
        forget_health(provider)
    provider.save()
    trail.record(actor=actor, action="llmgateway.provider.update", target=provider, changes=changes)
    return provider


@transaction.atomic
def set_credential(*, actor: User | None, provider: Provider, api_key: str | None) -> Provider:
    """Seals a new credential, or takes the stored one away when `api_key` is None."""
    provider = locked(provider)
    had_credential = provider.has_credential
    if api_key is None and not had_credential:
        return provider
    if api_key is None:
        provider.credential, provider.credential_set_at = None, None
        _clear_waiting(provider)
        change: list[Any] = ["set", None]
    else:
        _seal_into(provider, api_key)
        change = _credential_change(had_credential)
    forget_health(provider)
    provider.save()
    trail.record(actor=actor, action="llmgateway.provider.credential", target=provider, changes={"credential": change})
    return provider


def enable_provider(*, actor: User | None, provider: Provider) -> Provider:
    return _switch(actor, provider, enabled=True)


def disable_provider(*, actor: User | None, provider: Provider) -> Provider:
    """Takes all of its deployments out of service; models that have no other answer as unknown."""
    return _switch(actor, provider, enabled=False)


@transaction.atomic
def delete_provider(*, actor: User | None, provider: Provider) -> None:
    """Refused while a model has a deployment at this provider."""
    provider = locked(provider)
    users = list(provider.deployments.order_by("model__name").values_list("model__name", flat=True).distinct()[:5])
    if users:
        raise ValidationError(f"{provider.name} is used by {', '.join(users)}. Take its deployments out of these models first.")
    changes = trail.diff(public_fields(provider, FIELDS), {})
    trail.record(actor=actor, action="llmgateway.provider.delete", target=provider, changes=changes)
    provider.delete()


@transaction.atomic
def _switch(actor: User | None, provider: Provider, *, enabled: bool) -> Provider:
    provider = locked(provider)
    if provider.enabled == enabled:
        return provider
    provider.enabled = enabled
    provider.save(update_fields=["enabled", "updated_at"])
    action = f"llmgateway.provider.{'enable' if enabled else 'disable'}"
    trail.record(actor=actor, action=action, target=provider, changes={"enabled": [not enabled, enabled]})
    return provider


def _assign(provider: Provider, fields: dict[str, Any]) -> None:
    assign(provider, fields, allowed=FIELDS)
    problems: dict[str, list[str]] = {}
    with collecting(problems, "base_url"):
        provider.base_url = clean_base_url(provider.base_url, allow_private_network=bool(provider.allow_private_network))
        provider.vendor = provider.vendor or guess_vendor(provider.base_url)
    with collecting(problems, "headers"):
        provider.headers = clean_headers(provider.headers)
    with collecting(problems):
        provider.full_clean(exclude=["credential", *problems])
        if max(provider.connect_timeout, provider.read_timeout) > provider.total_timeout:
            raise ValidationError({"total_timeout": "The total timeout must be at least as long as the other two."})
    if problems:
        raise ValidationError(problems)


def _refuse_moving_the_credential(provider: Provider, changes: dict[str, list[Any]]) -> None:
    """A stored credential is only ever sent to the host it was entered for: otherwise whoever may edit an address, but
    never saw the key, could have it sent to a host of their own."""
    if provider.has_credential and _moves(changes):
        raise ValidationError({"base_url": "The stored credential belongs to the old host. Enter the credential for the new one as well."})


def _moves(changes: dict[str, list[Any]]) -> bool:
    """Whether the changes lead to another host."""
    if "base_url" not in changes:
        return False
    old, new = (urlsplit(url) for url in changes["base_url"])
    return (old.scheme, old.netloc) != (new.scheme, new.netloc)


def _clear_waiting(provider: Provider) -> None:
    """What waits before and behind the credential in use belongs to its host as well."""
    provider.next_credential, provider.next_set_at, provider.next_tested_at = None, None, None
    provider.previous_credential, provider.previous_set_at = None, None


def _seal_into(provider: Provider, api_key: str) -> None:
    with naming("api_key"):
        secret = clean_credential(api_key)
    provider.credential = seal(provider, secret)
    provider.credential_set_at = timezone.now()


def _credential_change(had_credential: bool) -> list[Any]:
    return ["set", "replaced"] if had_credential else [None, "set"]


def forget_health(provider: Provider) -> None:
    """Part of the caller's save."""
    provider.health, provider.checked_at, provider.latency_ms = Health.UNKNOWN, None, None
    provider.failed_checks, provider.last_error = 0, ""


def locked(provider: Provider) -> Provider:
    """The row as it is stored now, held until the caller's transaction ends."""
    return Provider.objects.select_for_update().get(pk=provider.pk)

"""The steps of a credential's rotation by name, with the test that belongs to some of them; for the admin and for REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError

from llmgateway import actions
from llmgateway.models import Provider
from llmgateway.probe import probe

_PLAIN: dict[str, Callable[..., Provider]] = {
    "switch": actions.switch_credential,
    "roll_back": actions.roll_back_credential,
    "drop_next": actions.drop_next_credential,
    "drop_previous": actions.drop_previous_credential,
}


def rotated(actor: Any, provider: Provider, step: str, api_key: str = "") -> None:
    """One step. `next` and `test` ask the vendor, so they must not run inside a transaction: a slow vendor must not hold a
    lock on its row. Raises ValidationError, also when the vendor does not accept the next credential, which then stays stored."""
    if step in _PLAIN:
        _PLAIN[step](actor=actor, provider=provider)
        return
    if step == "next":
        provider = actions.set_next_credential(actor=actor, provider=provider, api_key=api_key)
    if provider.next_set_at is None:
        raise ValidationError("There is no next credential to test.")
    finding = probe(provider, with_next=True)
    actions.record_next_test(actor=actor, provider=provider, ok=finding.ok)
    if finding.problem is not None:
        raise ValidationError(f"The next credential is stored, but was not accepted. {finding.sentence}")

"""A scripted vendor, and providers and models made through the actions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from identity.models import User
from llmgateway import actions
from llmgateway.models import Model, Provider
from tests.factories import unique
from tests.fakes.provider import Provider as Vendor
from tests.fakes.serving import serving

CANARY = "sk-canary-8d1f0c2e7b"
"""A credential that must never be seen again once it was entered."""

MakeProvider = Callable[..., Provider]
MakeModel = Callable[..., Model]


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def vendor_url(vendor: Vendor) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(serving(vendor))


@pytest.fixture
def make_provider(db: None) -> MakeProvider:
    """A provider at a public address that nothing calls, unless `base_url` says otherwise."""

    def make(name: str | None = None, **fields: Any) -> Provider:
        given = {"dialect": "openai", "base_url": "https://api.openai.com/v1", **fields}
        return actions.create_provider(actor=None, name=unique("provider") if name is None else name, **given)

    return make


@pytest.fixture
def local_provider(make_provider: MakeProvider, vendor_url: str) -> Provider:
    """At the scripted vendor, with the canary as its credential."""
    return make_provider("local", base_url=f"{vendor_url}/v1", allow_private_network=True, api_key=CANARY)


@pytest.fixture
def make_model(db: None) -> MakeModel:
    def make(name: str | None = None, **fields: Any) -> Model:
        return actions.create_model(actor=None, name=unique("model") if name is None else name, **fields)

    return make


def sign_in(client: Client, user: User) -> None:
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")


@pytest.fixture
def api() -> APIClient:
    return APIClient()

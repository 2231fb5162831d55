"""Objects for tests, made through the same actions as everywhere else. Plain functions, unique names by default."""

from __future__ import annotations

from itertools import count
from typing import Any

from identity import actions
from identity.models import APIKey, ServiceAccount, Team, User
from llmgateway.actions import create_model

_numbers = count(1)


def unique(word: str) -> str:
    return f"{word}-{next(_numbers)}"


def organization() -> Team:
    """The root team, made when there is none yet."""
    return Team.objects.filter(parent__isnull=True).first() or actions.create_team(actor=None, name="acme")


def make_team(name: str | None = None, *, parent: Team | None = None, **values: Any) -> Team:
    """Below the organization unless another parent is given."""
    return actions.create_team(actor=None, name=name or unique("team"), parent=parent or organization(), **values)


def make_user(username: str | None = None, *, team: Team | None = None, **values: Any) -> User:
    """A person without a password: tests log in with `client.force_login`."""
    return actions.create_user(actor=None, username=username or unique("user"), team=team, **values)


def make_service_account(name: str | None = None, *, team: Team | None = None) -> ServiceAccount:
    return actions.create_service_account(actor=None, name=name or unique("service"), team=team or make_team())


def make_key(owner: User | None = None, *, name: str | None = None, **values: Any) -> tuple[APIKey, str]:
    """A key and its text."""
    return actions.issue_key(actor=None, owner=owner or make_service_account(), name=name or unique("key"), **values)


def make_model(name: str | None = None, *, owner_team: Team | None = None) -> Any:
    """Something whose use can be granted."""
    return create_model(actor=None, name=name or unique("model"), owner_team=owner_team)

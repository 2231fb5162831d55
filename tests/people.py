"""The three standing people of every test, and a superuser.

    acme ─┬─ research   owner, team_mate
          └─ sales      stranger

All three are staff, so that a refusal is about what is whose and not about who may enter. The owner and the stranger hold
every model permission of the house's tenant-bound apps: a stranger with all permissions still may not touch what is another team's.
"""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from identity.models import Team, User
from tests import factories

TENANT_APPS = ("identity", "registry", "llmgateway", "mcpgateway", "agentgateway", "usage")


@pytest.fixture
def acme(db: None) -> Team:
    return factories.organization()


@pytest.fixture
def research(acme: Team) -> Team:
    return factories.make_team("research", parent=acme)


@pytest.fixture
def sales(acme: Team) -> Team:
    return factories.make_team("sales", parent=acme)


@pytest.fixture
def owner(research: Team) -> User:
    return _with_all_permissions(factories.make_user("owner", team=research, is_staff=True))


@pytest.fixture
def team_mate(research: Team) -> User:
    return factories.make_user("mate", team=research, is_staff=True)


@pytest.fixture
def stranger(sales: Team) -> User:
    return _with_all_permissions(factories.make_user("stranger", team=sales, is_staff=True))


@pytest.fixture
def admin(acme: Team) -> User:
    return factories.make_user("admin", team=acme, is_staff=True, is_superuser=True)


def _with_all_permissions(user: User) -> User:
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=TENANT_APPS))
    return user

"""Whatever a file says within its shape: applied twice it changes nothing, and exported and applied it changes nothing."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import AuditEvent
from config.applying.engine import apply_text
from config.applying.exporting import as_yaml, exported
from config.applying.kind import Run

pytestmark = pytest.mark.django_db

names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
amounts = st.builds(
    lambda whole, part: f"{whole}.{part}" if part else str(whole), st.integers(0, 10**6), st.text(string.digits, max_size=6)
)
prices = st.fixed_dictionaries({"input": amounts, "output": amounts}, optional={"cached_input": amounts, "request": amounts})
limits = st.fixed_dictionaries({}, optional={name: st.integers(1, 10**6) for name in ("rpm", "tpm", "concurrency")})
budgets = st.lists(
    st.fixed_dictionaries(
        {"limit": amounts},
        optional={"period": st.sampled_from(["day", "week", "month", "total"]), "mode": st.sampled_from(["hard", "soft"])},
    ),
    max_size=3,
    unique_by=lambda budget: budget.get("period", "month"),
)
seconds = st.sampled_from(["5", "5.0", "0.5", "30", "120.0"])
moments = st.sampled_from(["2099-01-31", "2099-01-31T12:00:00Z", "2099-01-31T12:00:00+02:00", "2099-01-31 12:00:00"])
texts = st.text(string.ascii_letters + " .,:#'\"-{}", max_size=20).map(str.strip)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    teams = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    models = draw(st.lists(names, max_size=3, unique=True))
    accounts = draw(st.lists(names.map(lambda name: f"sa-{name}"), max_size=2, unique=True))
    return {
        "teams": [_team(draw, name, teams[:number]) for number, name in enumerate(teams)],
        "service_accounts": [{"name": name, "team": draw(st.sampled_from(teams))} for name in accounts],
        "keys": [_key(draw, owner) for owner in accounts],
        "providers": [{"name": "p", "dialect": "openai", "base_url": "https://api.example.com/v1/", "read_timeout": draw(seconds)}],
        "models": [_model(draw, name, models[:number]) for number, name in enumerate(models)],
        "grants": [{"to": f"team:{draw(st.sampled_from(teams))}", "use": [f"model:{name}" for name in models]}] if models else [],
    }


def _team(draw: st.DrawFn, name: str, before: list[str]) -> dict[str, Any]:
    team = {"name": name, "limits": draw(limits), "budget": draw(budgets), "cost_center": draw(texts)}
    if before and draw(st.booleans()):
        team["parent"] = draw(st.sampled_from(before))
    return team


def _key(draw: st.DrawFn, owner: str) -> dict[str, Any]:
    key = {"name": draw(names), "owner": owner, "limits": draw(limits)}
    return {**key, "expires_at": draw(moments)} if draw(st.booleans()) else key


def _model(draw: st.DrawFn, name: str, before: list[str]) -> dict[str, Any]:
    deployments = draw(
        st.lists(st.fixed_dictionaries({"provider": st.just("p"), "model": names}), max_size=3, unique_by=lambda one: one["model"])
    )
    model = {"name": name, "deployments": deployments, "description": draw(texts), "fallbacks": before}
    return {**model, "price": draw(prices)} if draw(st.booleans()) else model


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(document=documents())
def test_nothing_is_left_to_change(document: dict[str, Any], tmp_path: Path) -> None:
    text = yaml.safe_dump(document, sort_keys=False)
    with transaction.atomic():
        apply_text(text, run=Run(actor=None, base=tmp_path))
        rows = AuditEvent.objects.count()
        assert apply_text(text, run=Run(actor=None, base=tmp_path, prune=True)) == []
        assert apply_text(as_yaml(exported()), run=Run(actor=None, base=tmp_path, prune=True)) == []
        assert AuditEvent.objects.count() == rows
        transaction.set_rollback(True)

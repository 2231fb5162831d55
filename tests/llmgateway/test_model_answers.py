"""How a model's answers are cached, timed out and translated: stated in every way, stored, published, exported."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from dataplane.snapshot import ModelRecord
from identity.models import APIKey, User
from llmgateway import actions
from llmgateway.compile import section
from llmgateway.models import Model
from tests import factories
from tests.llmgateway.conftest import MakeModel, sign_in

STATED = {"cache_ttl": 300, "first_token_timeout": Decimal("30.0"), "idle_timeout": Decimal("0.5"), "native_only": True}
FILE = """\
teams:
  - {name: acme}
service_accounts:
  - {name: ci, team: acme}
keys:
  - {name: batch, owner: ci, secret: ch_abcd1234_0123456789abcdefghij, cache: true}
models:
  - name: steady
    deployments: []
    cache: {ttl: 300}
    timeouts: {first_token: 30, idle: "0.5"}
    native_only: true
  - {name: plain, deployments: [], timeouts: {}}
"""


def record(name: str) -> ModelRecord:
    return next(record for record in section().models if record.name == name)


def told(name: str) -> tuple[Any, ...]:
    found = record(name)
    return found.cache_ttl, found.first_token_timeout, found.idle_timeout, found.native_only


def stored(model: Model) -> dict[str, Any]:
    model.refresh_from_db()
    return {name: getattr(model, name) for name in STATED}


def test_they_are_published_and_their_absence_as_well(make_model: MakeModel) -> None:
    make_model("steady", **STATED)
    make_model("plain")
    assert told("steady") == (300, 30.0, 0.5, True)
    assert told("plain") == (None, None, None, False)


@pytest.mark.parametrize(
    "wrong", [{"cache_ttl": 0}, {"cache_ttl": 2_592_001}, {"first_token_timeout": 0}, {"idle_timeout": 3601}, {"idle_timeout": "soon"}]
)
def test_what_makes_no_sense_is_refused_by_name(make_model: MakeModel, wrong: dict[str, Any]) -> None:
    model = make_model("steady")
    with pytest.raises(ValidationError) as refused:
        actions.update_model(actor=None, model=model, **wrong)
    assert set(refused.value.message_dict) == set(wrong)
    assert set(stored(model).values()) == {None, False}


def test_over_rest(api: APIClient, admin: User, make_model: MakeModel) -> None:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.make_key(admin)[1]}")
    model = make_model("steady")
    address = f"/api/v1/models/{model.pk}/"
    assert api.get(address).json()["cache_ttl"] is None
    answer = api.patch(address, {"cache_ttl": 300, "first_token_timeout": "30", "idle_timeout": "0.5", "native_only": True}, format="json")
    assert answer.status_code == 200
    assert stored(model) == STATED
    assert (answer.json()["idle_timeout"], answer.json()["native_only"]) == ("0.5", True)
    assert api.patch(address, {"cache_ttl": 0}, format="json").status_code == 400
    assert api.patch(address, {"cache_ttl": None}, format="json").json()["cache_ttl"] is None
    made = api.post("/api/v1/keys/", {"name": "batch", "owner": "admin", "use_cache": True}, format="json")
    assert (made.status_code, made.json()["use_cache"]) == (201, True)


def test_in_the_admin(client: Client, admin: User, make_model: MakeModel) -> None:
    sign_in(client, admin)
    model = make_model("steady")
    address = reverse("admin:llmgateway_model_change", args=(model.pk,))
    none = {f"{prefix}-{name}": "0" for prefix in ("deployments", "fallback_steps") for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    given = {"strategy": "weighted", "enabled": "on", "cache_ttl": "300", "first_token_timeout": "30", "idle_timeout": "0.5", **none}
    assert client.post(address, {**given, "native_only": "on"}).status_code == 302
    assert stored(model) == STATED
    assert "greater than or equal to 1" in client.post(address, {**given, "cache_ttl": "0"}).content.decode()


def applied(text: str, folder: Path) -> str:
    path = folder / "house.yaml"
    path.write_text(text)
    out = io.StringIO()
    call_command("apply", str(path), stdout=out)
    return out.getvalue()


def test_in_a_file_and_back(db: None, tmp_path: Path) -> None:
    applied(FILE, tmp_path)
    assert stored(Model.objects.get(name="steady")) == STATED
    assert APIKey.objects.get(name="batch").use_cache is True
    assert "No changes" in applied(FILE, tmp_path)
    out = io.StringIO()
    call_command("export", stdout=out)
    written = yaml.safe_load(out.getvalue())
    plain, steady = sorted(written["models"], key=lambda entry: str(entry["name"]))
    assert {name: steady[name] for name in ("cache", "timeouts", "native_only")} == {
        "cache": {"ttl": 300},
        "timeouts": {"first_token": "30", "idle": "0.5"},
        "native_only": True,
    }
    assert set(plain) == {"name", "deployments"}
    assert written["keys"][0]["cache"] is True
    assert "No changes" in applied(out.getvalue(), tmp_path)
    applied(FILE.replace("    cache: {ttl: 300}\n", "").replace(", cache: true", ""), tmp_path)
    assert Model.objects.get(name="steady").cache_ttl is None
    assert APIKey.objects.get(name="batch").use_cache is False


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("cache: {ttl: 300}", "cache: {ttl: 0}", "seconds as a whole number"),
        ("cache: {ttl: 300}", "cache: {}", "ttl"),
        ("first_token: 30", "first_token: soon", "seconds"),
        ("first_token: 30", "first: 30", "first"),
    ],
)
def test_a_mistake_in_the_file_is_told(db: None, tmp_path: Path, right: str, wrong: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        applied(FILE.replace(right, wrong), tmp_path)
    assert not Model.objects.exists()

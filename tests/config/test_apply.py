"""`manage.py apply` and `export`: the whole shape, applied twice, taken back, and refused where it is wrong."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from dataplane.principal import digest
from identity.models import APIKey, ServiceAccount, Team, User
from identity.queries import grants_of
from llmgateway.credentials import open_credential
from llmgateway.models import Model, Provider
from registry.models import Agent, Collection, Server, Skill, Toolset
from tests.fakes.agents import agent
from tests.fakes.mcp_servers import dual_era, house_of_tools
from tests.fakes.serving import serving
from usage.models import Budget

CI_KEY = "ch_abcd1234_0123456789abcdefghijklmnopqrstuvwxyz"

SKILL = """\
---
name: pdf
description: Reads and writes PDF files. Use when somebody mentions a PDF.
---

# PDF

Open the file first.
"""

FILE = """\
providers:
  - name: openai
    dialect: openai
    base_url: https://api.openai.com/v1
    api_key: env:TEST_OPENAI_KEY
  - name: local
    dialect: anthropic
    base_url: http://127.0.0.1:9
    api_key: file:local.key
    allow_private_network: true
models:
  - name: gpt-4o-mini
    strategy: weighted
    deployments:
      - {provider: openai, model: gpt-4o-mini, weight: 1, priority: 0}
    price: {input: "0.15", output: "0.60", cached_input: "0.075"}
    fallbacks: [other-model]
  - name: other-model
    strategy: priority
    deployments:
      - {provider: local, model: claude, priority: 1}
      - {provider: openai, model: gpt-4o}
teams:
  - name: acme
  - name: research
    parent: acme
    cost_center: CC-100
    budget: {limit: "50.00", period: month, mode: hard}
    limits: {rpm: 600, tpm: 200000, concurrency: 50}
service_accounts:
  - {name: ci, team: research}
keys:
  - {name: ci-key, owner: ci, secret: env:TEST_CI_KEY}
  - {name: made, owner: ci, expires_at: 2031-01-31, limits: {rpm: 5}}
servers:
  - {name: io.github.acme/weather, slug: weather, url: "SERVER/mcp", version: "1.0.0", allow_private_network: true, approve: true}
toolsets:
  - {slug: desk, tools: ["weather/get_forecast", "weather/*"]}
agents:
  - {slug: planner, url: "AGENT", team: research, allow_private_network: true, approve: true}
skills:
  - {source: ./skills/pdf, collection: office, approve: true}
grants:
  - {to: team:research, use: ["model:gpt-4o-mini", "server:weather", "tool:weather/get_forecast", "toolset:desk", "agent:planner"]}
  - {to: user:ci, use: ["skill:pdf"]}
"""


@pytest.fixture(scope="module")
def upstreams() -> Iterator[tuple[str, str]]:
    with serving(dual_era(house_of_tools()), lifespan=True) as server, serving(agent()) as helper:
        yield server, helper


@pytest.fixture
def folder(tmp_path: Path, upstreams: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file, a skill beside it, and the secrets that the file names."""
    monkeypatch.setenv("TEST_OPENAI_KEY", "sk-test-0123456789")
    monkeypatch.setenv("TEST_CI_KEY", CI_KEY)
    (tmp_path / "local.key").write_text("local-secret\n")
    (tmp_path / "skills" / "pdf").mkdir(parents=True)
    (tmp_path / "skills" / "pdf" / "SKILL.md").write_text(SKILL)
    server, helper = upstreams
    (tmp_path / "house.yaml").write_text(FILE.replace("SERVER", server).replace("AGENT", helper))
    return tmp_path


def apply(folder: Path, text: str | None = None, **options: Any) -> str:
    path = folder / "house.yaml"
    if text is not None:
        path = folder / "other.yaml"
        path.write_text(text)
    written = io.StringIO()
    call_command("apply", str(path), stdout=written, **options)
    return written.getvalue()


def refused(folder: Path, text: str, **options: Any) -> list[str]:
    before = AuditEvent.objects.count()
    with pytest.raises(CommandError) as caught:
        apply(folder, text, **options)
    lines = str(caught.value).splitlines()
    assert lines[-1] == "Nothing was applied."
    assert AuditEvent.objects.count() == before
    return lines[:-1]


def exported(folder: Path) -> Path:
    path = folder / "out" / "exported.yaml"
    call_command("export", output=str(path))
    return path


@pytest.mark.django_db
def test_the_whole_shape_is_applied(folder: Path, settings: Any) -> None:
    written = apply(folder)
    assert "19 created, 0 changed, 0 removed." in written
    openai = Provider.objects.get(name="openai")
    assert open_credential(openai) == "sk-test-0123456789"
    assert open_credential(Provider.objects.get(name="local")) == "local-secret"
    mini = Model.objects.get(name="gpt-4o-mini")
    assert [step.target.name for step in mini.fallback_steps.all()] == ["other-model"]
    research = Team.objects.get(name="research")
    assert (research.parent.name, research.cost_center, research.rpm, research.concurrency) == ("acme", "CC-100", 600, 50)
    budget = Budget.objects.get(team=research)
    assert (budget.limit, budget.period, budget.mode) == (Decimal(50), "month", "hard")
    key = APIKey.objects.get(name="ci-key")
    assert key.digest == digest(settings.CUSTOMHOUSE.key_pepper, CI_KEY).hex()
    assert Server.objects.get(slug="weather").live_version.version == "1.0.0"
    assert Toolset.objects.get(slug="desk").members == ["weather/get_forecast", "weather/*"]
    assert Agent.objects.get(slug="planner").live_version is not None
    assert [skill.name for skill in Collection.objects.get(slug="office").skills.all()] == ["pdf"]
    granted = {obj.resource_ref for obj in grants_of(research)}
    assert granted == {"model:gpt-4o-mini", "server:weather", "tool:weather/get_forecast", "toolset:desk", "agent:planner"}


@pytest.mark.django_db
def test_a_key_that_nobody_chose_is_printed_once_and_works(folder: Path, settings: Any) -> None:
    line = next(line for line in apply(folder).splitlines() if line.startswith("key ci/made: "))
    text = line.removeprefix("key ci/made: ").split()[0]
    assert APIKey.objects.get(name="made").digest == digest(settings.CUSTOMHOUSE.key_pepper, text).hex()
    assert "key ci/made" not in apply(folder)


@pytest.mark.django_db
def test_a_second_run_changes_nothing_and_leaves_no_audit_row(folder: Path) -> None:
    apply(folder)
    before = AuditEvent.objects.count()
    assert apply(folder, prune=True) == "No changes.\n"
    assert AuditEvent.objects.count() == before


@pytest.mark.django_db
def test_what_is_exported_and_applied_again_changes_nothing(folder: Path) -> None:
    apply(folder)
    before = AuditEvent.objects.count()
    path = exported(folder)
    assert apply(path.parent, path.read_text(), prune=True) == "No changes.\n"
    assert AuditEvent.objects.count() == before
    sections = yaml.safe_load(path.read_text())
    assert list(sections) == list(yaml.safe_load(FILE))


@pytest.mark.django_db
def test_an_export_holds_no_secret(folder: Path) -> None:
    apply(folder)
    text = exported(folder).read_text()
    for secret in ("sk-test", "local-secret", CI_KEY, "secret:", "api_key"):
        assert secret not in text


@pytest.mark.django_db
def test_an_export_sets_up_another_house_alike(folder: Path, settings: Any) -> None:
    apply(folder)
    path = exported(folder)
    first = path.read_text()
    apply(path.parent, "{providers: [], models: [], servers: [], toolsets: [], agents: [], skills: [], keys: [], grants: []}", prune=True)
    assert not Provider.objects.exists()
    apply(path.parent, first)
    assert exported(folder).read_text() == first


@pytest.mark.django_db
def test_a_dry_run_prints_the_difference_and_changes_nothing(folder: Path) -> None:
    written = apply(folder, dry_run=True)
    assert "+ model gpt-4o-mini" in written
    assert "key ci/made: one will be made" in written
    assert "Nothing was applied." in written
    assert not Team.objects.exists()
    apply(folder)
    before = AuditEvent.objects.count()
    changed = (folder / "house.yaml").read_text().replace("rpm: 600", "rpm: 700").replace("weight: 1,", "weight: 3,")
    written = apply(folder, changed, dry_run=True)
    assert "~ team research" in written
    assert '"rpm": 600' in written
    assert '"rpm": 700' in written
    assert "~ model gpt-4o-mini" in written
    assert AuditEvent.objects.count() == before


@pytest.mark.django_db
def test_only_what_differs_is_changed_and_audited(folder: Path) -> None:
    apply(folder)
    before = AuditEvent.objects.count()
    changed = (folder / "house.yaml").read_text().replace('"0.60"', '"0.70"').replace("CC-100", "CC-200")
    assert "0 created, 2 changed, 0 removed." in apply(folder, changed)
    assert AuditEvent.objects.count() == before + 2


@pytest.mark.django_db
def test_prune_removes_what_the_files_sections_do_not_name(folder: Path) -> None:
    apply(folder)
    text = """
service_accounts: []
keys: []
grants:
  - {to: team:research, use: ["model:gpt-4o-mini"]}
models:
  - name: gpt-4o-mini
    deployments: [{provider: openai, model: gpt-4o-mini}]
"""
    written = apply(folder, text, prune=True)
    assert "- model other-model" in written
    assert [obj.resource_ref for obj in grants_of(Team.objects.get(name="research"))] == ["model:gpt-4o-mini"]
    assert not APIKey.objects.filter(revoked_at__isnull=True).exists()
    assert not ServiceAccount.objects.get(username="ci").is_active
    assert Server.objects.exists()  # a section that the file does not have is left alone
    assert apply(folder, text, prune=True) == "No changes.\n"


@pytest.mark.django_db
def test_without_prune_nothing_is_removed(folder: Path) -> None:
    apply(folder)
    assert apply(folder, "models: []\nkeys: []\ngrants: []") == "No changes.\n"
    assert Model.objects.count() == 2


@pytest.mark.django_db
def test_another_secret_replaces_the_key_and_the_credential(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(folder)
    monkeypatch.setenv("TEST_CI_KEY", CI_KEY.replace("abcd1234", "wxyz9876"))
    monkeypatch.setenv("TEST_OPENAI_KEY", "sk-test-another-one")
    written = apply(folder)
    assert "secret: (stored) → (another)" in written
    assert "sk-test" not in written
    assert APIKey.objects.filter(name="ci-key", revoked_at__isnull=True).get().prefix == "wxyz9876"
    assert APIKey.objects.filter(name="ci-key", revoked_at__isnull=False).get().prefix == "abcd1234"
    assert open_credential(Provider.objects.get(name="openai")) == "sk-test-another-one"
    assert apply(folder) == "No changes.\n"


@pytest.mark.django_db
def test_a_key_revoked_by_hand_does_not_come_back(folder: Path, admin: User) -> None:
    from identity.actions import revoke_key

    apply(folder)
    revoke_key(actor=admin, key=APIKey.objects.get(name="ci-key"), reason="it leaked")
    problems = refused(folder, (folder / "house.yaml").read_text())
    assert "keys[0].secret: A key with these public characters exists already." in problems[0]
    assert problems[0].startswith("line 33: ")


@pytest.mark.django_db
def test_changed_files_of_a_skill_become_its_live_version(folder: Path) -> None:
    apply(folder)
    (folder / "skills" / "pdf" / "SKILL.md").write_text(SKILL.replace("first", "at once"))
    assert "~ skill pdf" in apply(folder)
    live = Skill.objects.get(name="pdf").live_version
    assert (live.version, "at once" in live.body) == ("1.0.1", True)
    assert apply(folder) == "No changes.\n"
    (folder / "skills" / "pdf" / "SKILL.md").write_text(SKILL)
    apply(folder)
    assert Skill.objects.get(name="pdf").live_version.version == "1.0.0"


@pytest.mark.django_db
def test_without_approve_a_server_waits_for_review(folder: Path) -> None:
    text = (folder / "house.yaml").read_text().replace("allow_private_network: true, approve: true", "allow_private_network: true")
    apply(folder, text)
    assert Server.objects.get(slug="weather").live_version is None
    assert Agent.objects.get(slug="planner").live_version is None
    assert apply(folder, text) == "No changes.\n"
    assert "approve: false → true" in apply(folder)
    assert Server.objects.get(slug="weather").live_version is not None


@pytest.mark.django_db
def test_mistakes_of_every_section_are_told_together(folder: Path) -> None:
    text = """\
models:
  - name: lost
    deployments: [{provider: nowhere, model: x}]
    fallbacks: [nothing]
teams:
  - {name: acme}
  - {name: acme}
  - {name: child, parent: nobody}
keys:
  - {name: k, owner: ghost}
  - {name: l, owner: ghost, secret: env:TEST_NOT_SET}
  - {name: m, owner: ghost, secret: "file:missing.key"}
grants:
  - {to: team:void, use: ["model:none", "toolset:none"]}
skills:
  - {source: ./no-such-folder}
"""
    assert refused(folder, text.replace("skills:\n  - {source: ./no-such-folder}\n", "")) == [
        "line 3: models[0].deployments[0].provider: expected one of the providers; there is no nowhere",
        "line 4: models[0].fallbacks[0]: expected one of the models; there is no nothing",
        "line 7: teams[1]: acme is there twice, first at line 6; expected it once",
        "line 8: teams[2].parent: expected one of the teams; there is no nobody",
        "line 10: keys[0].owner: expected one of the service accounts or agents; there is no ghost",
        "line 11: keys[1].owner: expected one of the service accounts or agents; there is no ghost",
        "line 11: keys[1].secret: expected the environment variable TEST_NOT_SET to be set",
        "line 12: keys[2].owner: expected one of the service accounts or agents; there is no ghost",
        f"line 12: keys[2].secret: expected to read {folder / 'missing.key'} (FileNotFoundError)",
        "line 14: grants[0].use[0]: expected one of the models; there is no none",
        "line 14: grants[0].use[0]: expected one of the teams; there is no void",
        "line 14: grants[0].use[1]: expected one of the teams; there is no void",
        "line 14: grants[0].use[1]: expected one of the toolsets; there is no none",
    ]
    assert "there is no such folder or archive" in refused(folder, text)[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("providers:\n  - {name: p, dialect: latin, base_url: 'https://a.example'}", "providers[0].dialect: "),
        ("providers:\n  - {name: p, dialect: openai, base_url: 'http://127.0.0.1:9'}", "providers[0].base_url: "),
        ("teams:\n  - {name: acme}\n  - {name: b, parent: b}", "teams[1]"),
        ("service_accounts:\n  - {name: 'a b', team: acme}\nteams:\n  - {name: acme}", "service_accounts[0]"),
        (
            "teams: [{name: acme}]\nservice_accounts: [{name: s, team: acme}]\nkeys:\n  - {name: k, owner: s, secret: not-a-key-at-all}",
            "keys[0].secret: A key has the shape",
        ),
        (
            "teams: [{name: acme}]\nservice_accounts: [{name: s, team: acme}]\nkeys:\n  - {name: k, owner: s, expires_at: 2030-02-31}",
            "keys[0].expires_at: expected a date that exists",
        ),
        ("servers:\n  - {name: a/b, slug: a, url: 'http://127.0.0.1:9/mcp'}", "servers[0].url: "),
        ("servers:\n  - {name: a/b, slug: a, url: 'http://127.0.0.1:9/mcp', allow_private_network: true}", "servers[0]: "),
        ("models:\n  - {name: m, deployments: [], fallbacks: [m]}", "models[0].fallbacks: "),
        ("models:\n  - {name: m, deployments: [], price: {input: '1', output: '-1'}}", "models[0].price.output: expected a decimal string"),
    ],
)
def test_what_an_action_refuses_is_told_at_its_line_and_nothing_is_applied(folder: Path, entry: str, problem: str) -> None:
    lines = refused(folder, f"{entry}\n")
    assert problem in lines[0]
    assert lines[0].startswith("line ")
    assert not Team.objects.exists()


@pytest.mark.django_db
def test_whoever_applies_needs_the_power_for_it(folder: Path, stranger: User, admin: User) -> None:
    text = "teams:\n  - {name: research, parent: acme, cost_center: stolen}\n  - {name: acme}\n"
    from tests.factories import make_team

    make_team("research")
    assert refused(folder, text, actor=stranger.username)
    assert Team.objects.get(name="research").cost_center == ""
    apply(folder, text, actor=admin.username)
    assert AuditEvent.objects.order_by("-id").values_list("actor_name", flat=True)[0] == "admin"
    with pytest.raises(CommandError, match="there is no active user nobody"):
        apply(folder, text, actor="nobody")


@pytest.mark.django_db
def test_a_file_that_can_not_be_read_is_told(folder: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("apply", str(folder / "nothing.yaml"))
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="UTF-8"):
        call_command("apply", str(folder / "binary.yaml"))

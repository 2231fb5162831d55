"""What the tour sets up, in the shape of `manage.py apply` and by the same door: a team with a budget, a key, the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from config.applying.engine import apply_text
from config.applying.kind import Run
from config.tour.state import State
from identity import actions
from identity.models import APIKey, Team, User

ORGANIZATION, TEAM = "acme", "tour"
SKILLS = Path(__file__).resolve().parents[1] / "sandbox" / "skills"
PRICE = {"input": "100", "output": "400"}
"""USD per million tokens, so that a sandbox call costs something to look at. No vendor's price is meant."""


def set_up(state: State, *, base_url: str) -> None:
    """On a fresh home everything; later only what names the house's own address, and only when that has changed."""
    organization = Team.objects.filter(parent__isnull=True).first()
    root = organization.name if organization else ORGANIZATION
    if state.base_url == base_url:
        return
    text = yaml.safe_dump(document(state, root=root, base_url=base_url), sort_keys=False)
    apply_text(text, run=Run(actor=None, base=Path.cwd()))
    _admin(state)


def _admin(state: State) -> None:
    admin = User.objects.filter(username=state.admin_user).first()
    if admin is None:
        admin = actions.create_user(
            actor=None,
            username=state.admin_user,
            password=state.admin_password,
            is_staff=True,
            is_superuser=True,
            team=Team.objects.get(name=TEAM),  # whose models it can then try in the playground, on the team's budget
        )
    if not APIKey.objects.filter(owner=admin, name="tour", revoked_at__isnull=True).exists():
        actions.issue_key(actor=None, owner=admin, name="tour", secret=state.admin_key)


def document(state: State, *, root: str, base_url: str) -> dict[str, Any]:
    sandbox = f"{base_url}/sandbox"
    private = {"allow_private_network": True}
    shown = {"team": TEAM, "discoverable": True}
    return {
        "teams": [{"name": root}, {"name": TEAM, "parent": root, "budget": {"limit": "5.00", "period": "month", "mode": "hard"}}],
        "service_accounts": [{"name": "tour", "team": TEAM}],
        "keys": [{"name": "tour", "owner": "tour", "secret": state.key}],
        "providers": [
            {"name": "sandbox", "dialect": "openai", "base_url": f"{sandbox}/openai/v1", **private},
            {"name": "sandbox-anthropic", "dialect": "anthropic", "base_url": f"{sandbox}/anthropic", **private},
        ],
        "models": [
            _model("sandbox-chat", "sandbox", "sandbox-chat", "Repeats what it is told; not a model."),
            _model("sandbox-embedding", "sandbox", "sandbox-embedding", "Vectors without meaning."),
            _model("sandbox-messages", "sandbox-anthropic", "sandbox-chat", "The same, spoken to as Anthropic's clients do."),
        ],
        "servers": [
            {
                "name": "customhouse.sandbox/weather",
                "slug": state.server,
                "url": f"{sandbox}/mcp",
                "title": "Sandbox weather",
                "description": "Made-up weather, to try tool calls on.",
                "approve": True,
                **private,
                **shown,
            }
        ],
        "agents": [
            {
                "slug": state.agent,
                "url": f"{sandbox}/agent",
                "description": "Repeats what it is told, or makes a plan.",
                "approve": True,
                **private,
                **shown,
            }
        ],
        "skills": [{"source": str(SKILLS / "plain-commit-messages"), "collection": "sandbox", "approve": True, **shown}],
        "grants": [
            {
                "to": f"team:{TEAM}",
                "use": [
                    *(f"model:sandbox-{name}" for name in ("chat", "embedding", "messages")),
                    f"server:{state.server}",
                    f"agent:{state.agent}",
                    "skill:plain-commit-messages",
                ],
            }
        ],
    }


def _model(name: str, provider: str, upstream: str, description: str) -> dict[str, Any]:
    deployments = [{"provider": provider, "model": upstream}]
    return {"name": name, "description": description, "deployments": deployments, "price": PRICE, "team": TEAM, "discoverable": True}

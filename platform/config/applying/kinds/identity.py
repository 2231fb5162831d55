"""Teams, service accounts and keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from hmac import compare_digest
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime

from config.applying import shape
from config.applying.kind import Kind, Reference, Run, named_team
from config.applying.kinds import budgets
from identity import actions, keytext
from identity.models import APIKey, Limited, ServiceAccount, Team, User


def limits_of(row: Limited) -> shape.Limits | None:
    return settled_limits(shape.Limits(rpm=row.rpm, tpm=row.tpm, concurrency=row.concurrency))


def settled_limits(limits: shape.Limits | None) -> shape.Limits | None:
    """Limits that limit nothing are none."""
    return None if limits == shape.Limits() else limits


def limit_fields(limits: shape.Limits | None) -> dict[str, Any]:
    return msgspec.structs.asdict(limits or shape.Limits())


class Teams(Kind[shape.Team]):
    """A team without a parent hangs under the organization; the first one is the organization."""

    section, word = "teams", "team"

    def references(self, entry: shape.Team) -> Iterator[Reference]:
        if entry.parent is not None:
            yield Reference(("parent",), ("teams",), entry.parent)

    def stored(self) -> dict[str, shape.Team]:
        """Parents before their children."""
        teams = {team.pk: team for team in Team.objects.select_related("parent").order_by("name")}
        limits = budgets.of_teams()
        ordered: dict[str, shape.Team] = {}
        waiting = list(teams.values())
        while waiting:
            ready = [team for team in waiting if team.parent is None or team.parent.name in ordered]
            for team in ready:
                ordered[team.name] = shape.Team(
                    name=team.name,
                    parent=team.parent.name if team.parent else None,
                    cost_center=team.cost_center,
                    budget=limits.get(team.pk),
                    limits=limits_of(team),
                )
            waiting = [team for team in waiting if team not in ready]
        return ordered

    def settled(self, entry: shape.Team, before: shape.Team | None, run: Run) -> shape.Team:
        fields: dict[str, Any] = {"budget": budgets.settled(entry.budget), "limits": settled_limits(entry.limits)}
        if len({budget.period for budget in budgets.listed(entry.budget)}) < len(budgets.listed(entry.budget)):
            raise ValidationError({"budget": "expected one budget per period"})
        if entry.parent is None:
            root = Team.objects.filter(parent__isnull=True).first()
            fields["parent"] = None if root is None or root.name == entry.name else root.name
        if entry.budget is None and before is not None and not run.prune:
            fields["budget"] = before.budget  # a budget that was set elsewhere is not taken away in passing
        return msgspec.structs.replace(entry, **fields)

    def create(self, entry: shape.Team, run: Run) -> None:
        team = actions.create_team(
            actor=run.actor, name=entry.name, parent=named_team(entry.parent), cost_center=entry.cost_center, **limit_fields(entry.limits)
        )
        if entry.budget is not None:
            budgets.set_team_budgets(team, entry.budget, actor=run.actor)

    def update(self, entry: shape.Team, before: shape.Team, changed: frozenset[str], run: Run) -> None:
        team = Team.objects.get(name=entry.name)
        if changed & {"parent", "cost_center", "limits"}:
            parent = {"parent": named_team(entry.parent)} if "parent" in changed else {}
            actions.update_team(actor=run.actor, team=team, cost_center=entry.cost_center, **limit_fields(entry.limits), **parent)
        if "budget" in changed:
            budgets.set_team_budgets(team, entry.budget, actor=run.actor)

    def remove(self, name: str, before: shape.Team, run: Run) -> None:
        team = Team.objects.get(name=name)
        budgets.set_team_budgets(team, None, actor=run.actor)
        actions.delete_team(actor=run.actor, team=team)


class ServiceAccounts(Kind[shape.ServiceAccount]):
    section, word = "service_accounts", "service account"

    def references(self, entry: shape.ServiceAccount) -> Iterator[Reference]:
        if entry.team is not None:
            yield Reference(("team",), ("teams",), entry.team)

    def stored(self) -> dict[str, shape.ServiceAccount]:
        accounts = ServiceAccount.objects.filter(is_active=True).select_related("team").order_by("username")
        return {row.username: shape.ServiceAccount(name=row.username, team=row.team.name if row.team else None) for row in accounts}

    def create(self, entry: shape.ServiceAccount, run: Run) -> None:
        """One that was deactivated comes back with its history; its keys were revoked when it went."""
        left = ServiceAccount.objects.filter(username=entry.name).first()
        if left is None:
            actions.create_service_account(actor=run.actor, name=entry.name, team=named_team(entry.team))
        else:
            actions.update_user(actor=run.actor, user=left, team=named_team(entry.team), is_active=True)

    def update(self, entry: shape.ServiceAccount, before: shape.ServiceAccount, changed: frozenset[str], run: Run) -> None:
        actions.update_user(actor=run.actor, user=ServiceAccount.objects.get(username=entry.name), team=named_team(entry.team))

    def remove(self, name: str, before: shape.ServiceAccount, run: Run) -> None:
        """Deactivated and not deleted: the ledger and the audit trail speak of it."""
        account = ServiceAccount.objects.get(username=name)
        for key in APIKey.objects.filter(owner=account, revoked_at__isnull=True):
            actions.revoke_key(actor=run.actor, key=key, reason="its service account was removed")
        actions.update_user(actor=run.actor, user=account, is_active=False)


class Keys(Kind[shape.Key]):
    """A key is known by its owner and name. Its text is never exported: only its digest is kept."""

    section, word = "keys", "key"
    secret_fields = ("secret",)

    def name_of(self, entry: shape.Key) -> str:
        return f"{entry.owner}/{entry.name}"

    def references(self, entry: shape.Key) -> Iterator[Reference]:
        if not User.objects.filter(username=entry.owner).exists():
            yield Reference(("owner",), ("service_accounts", "agents"), entry.owner)

    def stored(self) -> dict[str, shape.Key]:
        found = {}
        for row in _current_keys().select_related("owner").order_by("owner__username", "name"):
            entry = shape.Key(
                name=row.name,
                owner=row.owner.username,
                expires_at=row.expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z") if row.expires_at else None,
                limits=limits_of(row),
                cache=row.use_cache,
            )
            found[self.name_of(entry)] = entry
        return found

    def settled(self, entry: shape.Key, before: shape.Key | None, run: Run) -> shape.Key:
        moment = _moment(entry.expires_at)
        limits = settled_limits(entry.limits)
        return msgspec.structs.replace(entry, limits=limits, expires_at=moment.isoformat().replace("+00:00", "Z") if moment else None)

    def secret_matches(self, entry: shape.Key, field_name: str, secret: str) -> bool:
        return compare_digest(_key(entry).digest, keytext.digest_of(secret))

    def create(self, entry: shape.Key, run: Run) -> None:
        secret = run.secrets.get((self.section, self.name_of(entry), "secret"))
        _, text = actions.issue_key(
            actor=run.actor,
            owner=User.objects.get(username=entry.owner),
            name=entry.name,
            secret=secret,
            expires_at=_moment(entry.expires_at),
            use_cache=entry.cache,
            **limit_fields(entry.limits),
        )
        if secret is None:
            run.made.append((self.name_of(entry), text))

    def update(self, entry: shape.Key, before: shape.Key, changed: frozenset[str], run: Run) -> None:
        """Another secret is another key: the old one ends in the same transaction."""
        key = _key(entry)
        if "secret" in changed:
            actions.revoke_key(actor=run.actor, key=key, reason="another secret was applied")
            self.create(entry, run)
        else:
            moment = _moment(entry.expires_at)
            actions.update_key(actor=run.actor, key=key, expires_at=moment, use_cache=entry.cache, **limit_fields(entry.limits))

    def remove(self, name: str, before: shape.Key, run: Run) -> None:
        actions.revoke_key(actor=run.actor, key=_key(before), reason="it is no longer in the applied file")


def _current_keys() -> Any:
    """Those that people and files made: what a page of the house made for itself is gone in minutes."""
    return APIKey.objects.filter(revoked_at__isnull=True, rotated_at__isnull=True, owner__is_active=True, purpose="")


def _key(entry: shape.Key) -> APIKey:
    key: APIKey = _current_keys().get(owner__username=entry.owner, name=entry.name)
    return key


def _moment(text: str | None) -> datetime | None:
    """A date is its first moment in UTC. Raises ValidationError for one that does not exist."""
    if text is None:
        return None
    try:
        moment = datetime.combine(date.fromisoformat(text), datetime.min.time()) if len(text) == 10 else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ValidationError({"expires_at": "expected a date that exists, such as 2027-01-31 or 2027-01-31T12:00:00Z"})
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

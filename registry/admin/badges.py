"""The small signs that lists and pages of the registry share."""

from __future__ import annotations

from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.choices import Decision, Health, Risk, Status, VersionState
from registry.models import Review, Version

TONES = {
    "live": "good",
    "approved": "good",
    "healthy": "good",
    "pending": "wait",
    "waiting": "wait",
    "degraded": "warn",
    "deprecated": "warn",
    "withdrawn": "mute",
    "frozen": "bad",
    "down": "bad",
    "rejected": "bad",
}


def badge(word: str, *, tone: str = "", title: str = "") -> SafeString:
    return format_html('<span class="rg-badge rg-{}" title="{}">{}</span>', tone or TONES.get(word.lower(), "mute"), title, word)


def state_word(item: Any) -> str:
    """`live`, `deprecated`, `frozen`, `retired`, or what becomes of an item that was never live."""
    if item.status != Status.ACTIVE:
        return str(item.status)
    live = getattr(item, "live_version", None)
    if live is None:
        return "waiting" if getattr(item, "pending", 0) else "draft"
    return "deprecated" if live.state == VersionState.DEPRECATED else "live"


def item_badges(item: Any) -> SafeString:
    """Its state, and beside it what asks for somebody's attention."""
    word = state_word(item)
    signs = [badge(word, title=item.status_reason)]
    if getattr(item, "pending", 0) and word != "waiting":
        signs.append(badge("review", tone="wait", title="A new version waits for review"))
    if getattr(item, "has_drifted", False):
        signs.append(badge("changed", tone="warn", title="The upstream is not what was approved"))
    return format_html_join(" ", "{}", ((sign,) for sign in signs))


def version_badge(version: Version, *, live: bool) -> SafeString:
    return format_html("{}{}", badge("live") if live else "", badge(str(version.state)) if not live else "")


def health_badge(item: Any) -> SafeString:
    """A dot, the verdict, how long ago that was found, and as its title the last error."""
    ago = naturaltime(item.checked_at) if item.checked_at else ""
    latency = f"{item.latency_ms} ms · " if item.latency_ms is not None and item.health == Health.HEALTHY else ""
    return format_html(
        '<span class="rg-health rg-health-{}" title="{}"><i></i>{}</span><span class="rg-faint rg-block">{}{}</span>',
        item.health,
        item.last_error,
        item.get_health_display(),
        latency,
        ago,
    )


RISKS = {0: ("none", "mute"), Risk.NOTE: ("note", "info"), Risk.WARNING: ("warning", "warn"), Risk.DANGER: ("danger", "bad")}


def risk_badge(review: Review) -> SafeString:
    word, tone = RISKS[review.risk]
    return badge(word, tone=tone, title=f"{len(review.findings)} findings")


def decision_badge(review: Review) -> SafeString:
    return badge(review.get_decision_display().lower(), tone="wait" if review.decision == Decision.PENDING else "")

"""The admin's first page: panels that apps bring, in one grid. This floor knows how to show them, not what they say.

An app registers a panel when it is ready; `build(request)` gives the template's context, or None when there is nothing
that this person may see. A panel that fails is shown as failed and does not take the page with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import structlog
from django.http import HttpRequest

log = structlog.get_logger(__name__)

Context = dict[str, Any]


class Panel(NamedTuple):
    """`order` sorts from the top; `width` is the number of the grid's twelve columns on a wide screen."""

    name: str
    template: str
    build: Callable[[HttpRequest], Context | None]
    order: int
    width: int = 12
    tall: bool = False
    """Whether it stands beside two others."""


_panels: dict[str, Panel] = {}


def register(panel: Panel) -> None:
    """Adds a panel, or replaces the one of the same name."""
    _panels[panel.name] = panel


def callback(request: HttpRequest, context: Context) -> Context:
    """Unfold's DASHBOARD_CALLBACK: puts the panels into the page's context."""
    shown = []
    for panel in sorted(_panels.values(), key=lambda panel: panel.order):
        try:
            built = panel.build(request)
        except Exception:
            log.exception("dashboard panel failed", panel=panel.name)
            shown.append({"template": "admin/dashboard/failed.html", "width": panel.width, "name": panel.name})
            continue
        if built is not None:
            shown.append({**built, "template": panel.template, "width": panel.width, "name": panel.name, "tall": panel.tall})
    return {**context, "panels": shown, "title": "Overview"}


class Ailing(NamedTuple):
    """Something that is called and does not answer as it should. `state` is is-warn or is-bad, `word` says it in words."""

    name: str
    note: str
    href: str
    state: str
    word: str
    when: str


_ailing: list[Callable[[Any], list[Ailing]]] = []
SHOWN = 8


def register_ailing(source: Callable[[Any], list[Ailing]]) -> None:
    """Adds a source of things that are unhealthy, as far as the given user may see them. Idempotent."""
    if source not in _ailing:
        _ailing.append(source)


def unhealthy(request: HttpRequest) -> Context:
    rows = [row for source in _ailing for row in source(request.user)]
    rows.sort(key=lambda row: row.state)
    return {
        "title": "Not healthy",
        "rows": rows[:SHOWN],
        "more": max(0, len(rows) - SHOWN),
        "nothing": "Every provider, server and agent that was checked answers.",
    }


register(Panel("unhealthy", "admin/dashboard/attention.html", unhealthy, order=32, width=4))

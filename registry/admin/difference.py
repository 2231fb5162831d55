"""Differences and findings of a review as the templates take them."""

from __future__ import annotations

from typing import Any

from registry import hidden
from registry.admin.badges import RISKS
from registry.models import Review
from registry.review.difference import rows

OPEN = 12
"""Parts that are unfolded when the page opens; a server with a thousand new tools would be endless otherwise."""
MAX_LINES = 1_500
"""Lines that are laid out for one part. What is longer is said to be cut, and can be read on the version's page."""


def shown_difference(review: Review) -> list[dict[str, Any]]:
    shown = []
    for number, part in enumerate(review.difference):
        lines = rows(part["before"], part["after"]) if not (part["cut"] and not part["before"] and not part["after"]) else []
        shown.append(
            {
                **part,
                "part": hidden.reveal(part["part"]),
                "rows": lines[:MAX_LINES],
                "cut": part["cut"] or len(lines) > MAX_LINES,
                "open": number < OPEN,
                "added": sum(row.kind in {"added", "changed"} for row in lines),
                "removed": sum(row.kind in {"removed", "changed"} for row in lines),
            }
        )
    return shown


def shown_findings(review: Review) -> list[dict[str, Any]]:
    return [{**found, "part": hidden.reveal(found["part"]), "tone": RISKS[found["level"]][1]} for found in review.findings]

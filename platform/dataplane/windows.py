"""Calendar windows of budgets, in UTC, and the accounts that are named after them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

PERIODS = ("day", "week", "month", "total")


def window(period: str, now: float) -> str:
    """Name of the window that Unix time `now` falls into: day "2026-11-22", week "2026-W47" (ISO), month "2026-11",
    total "all". Raises ValueError for another period."""
    at = datetime.fromtimestamp(now, UTC)
    match period:
        case "day":
            return at.strftime("%Y-%m-%d")
        case "week":
            year, week, _ = at.isocalendar()
            return f"{year:04d}-W{week:02d}"
        case "month":
            return at.strftime("%Y-%m")
        case "total":
            return "all"
    raise ValueError(f"a budget's period is one of {', '.join(PERIODS)}, not {period!r}")


def window_end(period: str, now: float) -> float | None:
    """Unix time at which that window ends; None: never."""
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "day":
            return (day + timedelta(days=1)).timestamp()
        case "week":
            return (day + timedelta(days=7 - day.weekday())).timestamp()
        case "month":
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1).timestamp()
        case "total":
            return None
    raise ValueError(f"a budget's period is one of {', '.join(PERIODS)}, not {period!r}")


def budget_account(budget: int, period: str, now: float) -> str:
    """The account that counts a budget in the present window."""
    return f"budget:{budget}:{window(period, now)}"


def remembered(end: float | None, now: float) -> float | None:
    """Seconds for which an authority must remember a budget's account: a day longer than its window lasts."""
    return None if end is None else max(end - now, 0.0) + 86_400

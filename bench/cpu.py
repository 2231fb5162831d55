"""CPU time of a process and everything below it, from /proc, in seconds."""

from __future__ import annotations

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def _stat(path: Path) -> tuple[int, int, int] | None:
    """Process id, parent and ticks used (user and system); None when the process has gone."""
    try:
        text = path.read_text()
    except OSError:
        return None
    fields = text[text.rfind(")") + 2 :].split()
    return int(path.parent.name), int(fields[1]), int(fields[11]) + int(fields[12])


def seconds(root: int) -> float:
    """What `root` and its living descendants have used so far."""
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        if (stat := _stat(path)) is not None:
            pid, parent, ticks = stat
            used[pid] = ticks
            children.setdefault(parent, []).append(pid)
    total, left = 0, [root]
    while left:
        pid = left.pop()
        total += used.get(pid, 0)
        left.extend(children.get(pid, []))
    return total / TICK

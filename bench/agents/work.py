"""The task: what the scripted model does at each step with a tool's own tools, and what must come of it.

Six kinds of step take turns: two commands at once, a file made, a command that fails, an image looked at, a file read, a
long output. Their texts have what breaks when it is quoted, cut or decoded wrongly.
"""

from __future__ import annotations

import json
import shlex
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.agents.turns import Expected

NASTY = 'Zürich „x“ 😀 \\n not a line, "quoted" <tag attr=\'1\'> &amp; {"a": [1, 2]} %s $HOME `x`'
LONG = 120
"""Lines of the long output."""


class Planned(NamedTuple):
    """One call: `arguments` is text for a tool whose input is free text."""

    name: str
    arguments: dict[str, Any] | str
    expected: Expected


class Task:
    """A directory of its own. `kinds` are one tool's ways to do each kind of step."""

    def __init__(self, directory: Path, kinds: tuple[Callable[[Path, int], list[Planned]], ...]) -> None:
        self.directory = directory
        self._kinds = kinds
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "pixel.png").write_bytes(png())

    def step(self, number: int) -> list[Planned]:
        note(self.directory, number).write_text(text_of(number))
        return self._kinds[number % len(self._kinds)](self.directory, number)

    def undone(self, steps: int) -> list[str]:
        """Files that should have been made and were not, or hold something else."""
        made = [number for number in range(steps) if number % len(self._kinds) == 1 and len(self._kinds) > 1]
        return [
            f"{path.name} is not as it was to be made"
            for number in made
            if not (path := out(self.directory, number)).exists() or path.read_text() != text_of(number)
        ]


def note(directory: Path, number: int) -> Path:
    return directory / f"note-{number}.txt"


def out(directory: Path, number: int) -> Path:
    return directory / f"out-{number}.txt"


def text_of(number: int) -> str:
    return f"{number}: {NASTY}\nthe second line of {number}\n"


def lines_of(number: int) -> tuple[str, ...]:
    return tuple(text_of(number).splitlines())


def png() -> bytes:
    """A picture of eight by eight points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + b"\x20\x80\xc0" * 8 for _ in range(8))
    head = struct.pack("!IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# -- Claude Code


def _bash(command: str, expected: Expected) -> Planned:
    return Planned("Bash", {"command": command, "description": "One step of the task"}, expected)


def _long(number: int) -> tuple[str, Expected]:
    return f"seq -f 'line %g of {number}' 1 {LONG}", Expected((f"line 1 of {number}", f"line {LONG} of {number}"))


CLAUDE_CODE: tuple[Callable[[Path, int], list[Planned]], ...] = (
    lambda place, number: [
        _bash(f"cat {note(place, number)}", Expected((text_of(number).strip(),))),
        _bash(f"echo second of {number}", Expected((f"second of {number}",))),
    ],
    lambda place, number: [Planned("Write", {"file_path": str(out(place, number)), "content": text_of(number)}, Expected())],
    lambda _, number: [_bash(f"echo broken {number} >&2; exit 3", Expected((f"broken {number}",), failed=True))],
    lambda place, _: [Planned("Read", {"file_path": str(place / "pixel.png")}, Expected(images=1))],
    lambda place, number: [Planned("Read", {"file_path": str(note(place, number))}, Expected(lines_of(number)))],
    lambda _, number: [_bash(*_long(number))],
)

# -- Codex


def _exec(command: str, expected: Expected) -> Planned:
    return Planned("exec_command", {"cmd": command}, expected)


def _patch(place: Path, number: int) -> list[Planned]:
    added = "\n".join(f"+{line}" for line in lines_of(number))
    text = f"*** Begin Patch\n*** Add File: {out(place, number).name}\n{added}\n*** End Patch\n"
    return [Planned("apply_patch", text, Expected((out(place, number).name,)))]


CODEX: tuple[Callable[[Path, int], list[Planned]], ...] = (
    lambda place, number: [
        _exec(f"cat {note(place, number)}", Expected((text_of(number).strip(),))),
        _exec(f"echo second of {number}", Expected((f"second of {number}",))),
    ],
    _patch,
    lambda _, number: [_exec(f"echo broken {number} >&2; exit 3", Expected((f"broken {number}", "exited with code 3")))],
    lambda place, _: [Planned("view_image", {"path": str(place / "pixel.png")}, Expected(images=1))],
    lambda place, number: [_exec(f"cat {note(place, number)}", Expected(lines_of(number)))],
    lambda _, number: [_exec(*_long(number))],
)


# -- Codex with a model that works in programs only: one tool of free text, in a namespace, that runs the others


def _program(number: int) -> Planned:
    words = f"{NASTY.split('$')[0]}{number}"
    text = f"const r = await tools.exec_command({{cmd: {json.dumps(f'printf %s {shlex.quote(words)}')}}}); text(r.output ?? r);"
    return Planned("exec", text, Expected((words,)))


CODEX_PROGRAMS: tuple[Callable[[Path, int], list[Planned]], ...] = (lambda _, number: [_program(number)],)

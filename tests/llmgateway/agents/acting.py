"""What both coding tools do alike: the steps of a task, what their tools answer, and the vendors that play the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.agents.targets import TARGETS
from bench.agents.turns import Expected
from bench.agents.upstream import Lane
from bench.agents.work import Planned
from tests.fakes.provider import Asked, Provider, Reply

STEPS = 40
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NASTY = 'Zürich „x“ 😀 \\n "quoted" <tag> {"a": [1]}'
VENDORS = ("anthropic", "openai", "together", "openrouter", "gemini", "bedrock")


@dataclass(frozen=True)
class Answered:
    """What a tool answers to one call: a text, perhaps a picture beside it, perhaps that it failed."""

    text: str
    image: bool = False
    failed: bool = False


@dataclass(frozen=True)
class Names:
    """The tool's names of its tools. `free` is whether its patches are free text, and its failures told by their text alone."""

    run: str
    command: str
    patch: str
    look: str
    free: bool


class Steps:
    """Two commands at once, a patch, a command that fails, a picture; and so on."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def step(self, number: int) -> list[Planned]:
        names = self.names
        if number % 4 == 1:
            text = f"*** Begin Patch\n+{NASTY} {number}\n*** End Patch\n"
            return [Planned(names.patch, text if names.free else {"content": text}, Expected((f"patched {number}",)))]
        if number % 4 == 3:
            return [Planned(names.look, {"path": f"/{number}.png"}, Expected(images=1))]
        words = [f"first {number}", f"second {number}"] if number % 4 == 0 else [f"fails {number}"]
        return [
            Planned(names.run, {names.command: word}, Expected((f"{NASTY} {word}",), failed=number % 4 == 2 and not names.free))
            for word in words
        ]

    def run(self, name: str, arguments: dict[str, Any] | str) -> Answered:
        """What the tool answers to a call."""
        if name == self.names.patch:
            text = arguments if isinstance(arguments, str) else arguments["content"]
            assert NASTY in text
            return Answered(f"patched {text.split(NASTY)[1].split()[0]}")
        assert isinstance(arguments, dict)
        if name == self.names.look:
            return Answered("", image=True)
        word = arguments[self.names.command]
        return Answered(f"{NASTY} {word}", failed=word.startswith("fails"))


class Vendors:
    """All of the vendors at one address, each conversation at a lane of its own."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.lanes: dict[str, Lane] = {}
        provider.fallback = self.answer

    def lane(self, vendor: str, names: Names, *, steps: int = STEPS) -> Lane:
        target = TARGETS.get(vendor) or TARGETS["together"]._replace(vendor=vendor, thinks=False)
        lane = self.lanes[vendor] = Lane(vendor, target, Steps(names), steps)  # type: ignore[arg-type]
        return lane

    def answer(self, asked: Asked) -> Reply:
        _, name, path = asked.path.split("/", 2)
        lane = self.lanes[name]
        data = b"".join(lane.answer(path, asked.json))
        return Reply(headers=(("content-type", lane.wire.CONTENT_TYPE),), pieces=(data[:1000], data[1000:]))

"""What a scripted model says, and what a request shows of it when it comes back, in terms of no wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """`arguments` is an object, or the text of a tool whose input is free text."""

    id: str
    name: str
    arguments: dict[str, Any] | str


@dataclass(frozen=True)
class Expected:
    """What the tool's answer to a call must hold. `failed` where the tool says so itself."""

    texts: tuple[str, ...] = ()
    images: int = 0
    failed: bool = False


@dataclass(frozen=True)
class Used:
    """Tokens: `input` not counting what was read from a cache or written to one, `output` counting what was thought."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    thought: int = 0

    def __add__(self, other: Used) -> Used:
        pairs = zip(self.tuple(), other.tuple(), strict=True)
        return Used(*(one + another for one, another in pairs))

    def tuple(self) -> tuple[int, int, int, int, int]:
        return (self.input, self.cached, self.written, self.output, self.thought)


@dataclass(frozen=True)
class Turn:
    """One answer of the model. `proof` is the opaque value that must come back with it, "" on wires that have none."""

    thought: str
    proof: str
    text: str
    calls: tuple[Call, ...] = ()
    expected: tuple[Expected, ...] = ()
    used: Used = field(default_factory=Used)


@dataclass(frozen=True)
class Proof:
    """Reasoning that came back, by its opaque value."""

    value: str


@dataclass(frozen=True)
class Result:
    id: str
    text: str
    images: int = 0
    failed: bool = False


Item = Proof | Call | Result


@dataclass(frozen=True)
class Asked:
    """A request as a provider reads it: names of the tools on offer, and the conversation's items in order."""

    tools: tuple[str, ...]
    items: tuple[Item, ...]
    text: str = ""


def faults(turns: list[Turn], asked: Asked, *, flags: bool) -> list[str]:
    """How the conversation that came differs from the one that was had. `flags`: this wire says that a tool failed."""
    found: list[str] = []
    items = list(asked.items)
    for number, turn in enumerate(turns):
        wanted: list[Item] = [Proof(turn.proof)] if turn.proof else []
        wanted += turn.calls
        got, items = items[: len(wanted)], items[len(wanted) :]
        found += [f"step {number}: {one!r} came back as {other!r}" for one, other in zip(wanted, got, strict=False) if one != other]
        results, items = items[: len(turn.calls)], items[len(turn.calls) :]
        if len(got) < len(wanted) or len(results) < len(turn.calls):
            return [*found, f"step {number}: the conversation ends within it"]
        for call, expected, result in zip(turn.calls, turn.expected, _by_call(turn, results), strict=True):
            found += [f"step {number}: {fault}" for fault in _result_faults(call, expected, result, flags=flags)]
    return [*found, *(f"nobody said {item!r}" for item in items)]


def _by_call(turn: Turn, results: list[Item]) -> list[Item]:
    """Tools run side by side, and tell their results as they end. Where calls have no ids, the order must be the calls'."""
    by_id = {result.id: result for result in results if isinstance(result, Result) and result.id}
    return [by_id.get(call.id, result) for call, result in zip(turn.calls, results, strict=True)]


def _result_faults(call: Call, expected: Expected, result: Item, *, flags: bool) -> list[str]:
    if not isinstance(result, Result):
        return [f"a result was due, there was {result!r}"]
    found = [] if result.id == call.id else [f"the result of {call.id} came as that of {result.id}"]
    found += [f"{text!r} is not in the result {result.text[:300]!r}" for text in expected.texts if text not in result.text]
    if result.images != expected.images:
        found.append(f"{result.images} images instead of {expected.images}, beside {result.text[:200]!r}")
    if flags and result.failed != expected.failed:
        found.append(f"failed is {result.failed} of {result.text[:200]!r}")
    return found

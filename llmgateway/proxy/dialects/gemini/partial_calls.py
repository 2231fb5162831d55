"""A function call whose arguments come in pieces (Vertex AI, for who asks for `streamFunctionCallArguments`).

The first message names the function, later ones hold `partialArgs`: values with the path of their place, of which a text may
go on in the next message. `willContinue` says that more of the call follows; the first message without it ends the call.
"""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.gemini.reading import Members, wrong

_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,4})\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")
MOST_STEPS = 64


class PartialCall:
    """One call, as far as it has come. `made` is a `functionCall` in one piece, for whoever reads those."""

    __slots__ = ("_args", "_ident", "_name", "_signature", "_unfinished")

    def __init__(self) -> None:
        self._ident = self._name = self._signature = ""
        self._args: Json = {}
        self._unfinished: set[str] = set()

    def add(self, part: Members) -> bool:
        """Whether the call is whole now. Raises BadRequest."""
        self._signature = part.text("thoughtSignature") or self._signature
        call = part.inner("functionCall")
        if call is None:
            return False
        self._ident = call.text("id") or self._ident
        self._name = call.text("name") or self._name
        if (args := call.mapping("args")) is not None:
            self._args |= args
        for piece in call.many("partialArgs"):
            self._put(piece)
        return not call.flag("willContinue")

    def made(self) -> dict[str, Json]:
        call: dict[str, Json] = {"name": self._name, "args": self._args}
        if self._ident:
            call["id"] = self._ident
        return {"functionCall": call} | ({"thoughtSignature": self._signature} if self._signature else {})

    def _put(self, piece: Members) -> None:
        path = piece.text("jsonPath") or ""
        steps = _steps(path, piece.where("jsonPath"))
        kind = next((name for name in VALUES if piece.has(name)), "nullValue")
        value = None if kind == "nullValue" else piece.take(kind)
        if isinstance(value, str) and path in self._unfinished:
            value = _text_at(self._args, steps) + value
        _set(self._args, steps, value, piece.where("jsonPath"))
        if piece.flag("willContinue"):
            self._unfinished.add(path)
        else:
            self._unfinished.discard(path)


def _steps(path: str, where: str) -> list[str | int]:
    """`$.list[0].name` as the steps to its place."""
    steps: list[str | int] = []
    place = 1
    while path.startswith("$") and place < len(path):
        found = _STEP.match(path, place)
        if found is None:
            raise wrong(where, "a JSON path")
        name = found[1] or found[3] or found[4] or ""
        steps.append(int(found[2]) if found[2] else name)
        place = found.end()
    if not 0 < len(steps) <= MOST_STEPS or not isinstance(steps[0], str):
        raise wrong(where, "a JSON path")
    return steps


def _text_at(held: Json, steps: list[str | int]) -> str:
    """The beginning of a text, "" where something else has taken its place since."""
    for step in steps:
        fits = step in held if isinstance(held, dict) else isinstance(held, list) and isinstance(step, int) and step < len(held)
        if not fits:
            return ""
        held = held[step]
    return held if isinstance(held, str) else ""


def _set(held: Json, steps: list[str | int], value: Json, where: str) -> None:
    """Makes what is on the way. The elements of a list come in their order."""
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        new: Json = value if following is None else {} if isinstance(following, str) else []
        if isinstance(step, str) and isinstance(held, dict):
            held[step] = new if following is None or step not in held else held[step]
        elif isinstance(step, int) and isinstance(held, list) and step <= len(held):
            if step == len(held):
                held.append(new)
            elif following is None:
                held[step] = new
        else:
            raise wrong(where, "the path of a place that can be there")
        held = held[step]


def begins(part: Members) -> bool:
    """Whether this is a part of such a call."""
    call = part.left.get("functionCall", part.left.get("function_call"))
    names = ("partialArgs", "partial_args", "willContinue", "will_continue")
    return isinstance(call, dict) and any(call.get(name) for name in names)


def whole(call: PartialCall, path: str) -> Members:
    return Members(call.made(), path)

"""What is wrong with a file: where, and what was expected there. All of it is told at once and then nothing is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`line` counts from 1; 0 is the file as a whole. `where` is a path such as `models[0].price.input`."""

    line: int
    where: str
    message: str

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"line {self.line}: {place}{self.message}" if self.line else f"{place}{self.message}"


class Refused(Exception):
    """A file that is not applied. `problems` is never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))

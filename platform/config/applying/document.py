"""A YAML file as plain values that remember their lines.

Plain means: mappings with text keys, lists, text, whole numbers, true and false, null, and floats, which no field takes,
so that an unquoted price is told instead of rounded. Dates stay text. Bounded: size, depth, and aliases that unfold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from config.applying.problems import Problem, Refused

MAX_CHARACTERS = 16 * 1024 * 1024
MAX_NODES = 1_000_000
MAX_DEPTH = 30

Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """YAML's safe loader without dates: `expires_at` is checked as text like everything else."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Document:
    """`data` is the value of the whole file."""

    def __init__(self, text: str) -> None:
        """Raises Refused for what is not YAML, has a key twice, or is too large."""
        if len(text) > MAX_CHARACTERS:
            raise Refused([Problem(0, "", f"expected at most {MAX_CHARACTERS} characters")])
        self._lines: dict[Path, int] = {}
        self._problems: list[Problem] = []
        self._nodes = 0
        try:
            self._loader = _Loader(text)
            root = self._loader.get_single_node()
            self.data = {} if root is None else self._value(root, ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise Refused([Problem(mark.line + 1 if mark else 0, "", f"expected YAML: {error.problem or error.context}")]) from None
        except yaml.YAMLError as error:
            raise Refused([Problem(0, "", f"expected YAML: {error}".splitlines()[0])]) from None
        if self._problems:
            raise Refused(self._problems)

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the value at `path`, or of the nearest thing around it."""
        at = tuple(path)
        while at and at not in self._lines:
            at = at[:-1]
        return self._lines.get(at, 1)

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        return Problem(self.line(path), spelled(path), message)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise Refused([Problem(line, "", f"expected at most {MAX_NODES} values, {MAX_DEPTH} deep")])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, number)) for number, item in enumerate(node.value)]
        return self._loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in (f"{_TAG}str", f"{_TAG}int", f"{_TAG}null"):
                self._problems.append(Problem(line, spelled(path), "expected a name as the key"))
                continue
            key = str(key_node.value)
            if key in values:
                self._problems.append(Problem(line, spelled((*path, key)), "is there twice; expected it once"))
            self._lines[(*path, key)] = line
            values[key] = self._value(value_node, (*path, key))
        return values


def spelled(path: Sequence[str | int]) -> str:
    """`("models", 0, "price")` as `models[0].price`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text

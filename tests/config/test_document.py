"""Reading a file: every mistake with its line and what was expected, all of them at once."""

from __future__ import annotations

import contextlib
import string
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from config.applying.document import Document, spelled
from config.applying.problems import Refused
from config.applying.reading import read_entries
from config.applying.shape import SECTIONS

FILE = """\
providers:
  - name: openai
    dialect: openai
    base_url: https://api.openai.com/v1
models:
  - name: small
    deployments:
      - {provider: openai, model: gpt-4o-mini, weight: 1}
    price:
      input: 0.15
      output: "0.60"
  - name: large
    deployments: [{provider: 5, model: x}]
  - nme: odd
  - 5
teams:
  - {name: Not A Slug}
  - {name: research, budget: {limit: "5", period: decade}}
  - {name: research, limits: {rpm: 0}}
keys: {name: x}
grants:
  - {to: everybody, use: ["model:small"]}
  - {to: team:research, use: [small]}
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(Refused) as caught:
        read_entries(Document(text))
    return [str(problem) for problem in caught.value.problems]


def test_every_mistake_is_told_with_its_line_and_what_was_expected() -> None:
    assert problems_of(FILE) == [
        "line 10: models[0].price.input: expected a decimal string",
        "line 13: models[1].deployments[0].provider: expected a name",
        (
            "line 14: models[2].nme: is not known; expected one of name, deployments, strategy, price, fallbacks, max_output, "
            "cache, timeouts, native_only, description, team, discoverable, enabled"
        ),
        "line 15: models[3]: expected a mapping",
        "line 17: teams[0].name: expected lower-case letters, digits, dots, dashes or underscores",
        "line 18: teams[1].budget.period: expected one of day, week, month, total",
        "line 19: teams[2].limits.rpm: expected a whole number from 1",
        "line 20: keys: expected a list",
        "line 22: grants[0].to: expected team:NAME or user:NAME",
        "line 23: grants[1].use[0]: expected a resource such as model:NAME or tool:SERVER/TOOL",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: [1\nb: 2", "line 2: expected YAML"),
        ("models: []\nmodels: []", "line 2: models: is there twice; expected it once"),
        ("- 1", "line 1: expected a mapping with"),
        ("modles: []", "line 1: modles: is not known"),
        ("? [a]\n: b", "line 1: expected a name as the key"),
        ("models:\n  - name: !!python/name:os.system", "line 2: expected YAML"),
        ("models:\n  - {name: x}", "line 2: models[0]: expected deployments, which is missing"),
        ("a: b\n---\nc: d", "expected YAML"),
    ],
)
def test_what_is_no_such_file_is_refused(text: str, problem: str) -> None:
    assert problems_of(text)[0].startswith(problem) or problem in problems_of(text)[0]


def test_aliases_that_unfold_without_end_are_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(f'*{before}' for _ in range(9))}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "expected at most" in problems_of(bomb)[0]


def test_a_mapping_nested_without_end_is_refused() -> None:
    assert "expected at most" in problems_of("{a: " * 40 + "1" + "}" * 40)[0]


def test_an_empty_file_states_nothing() -> None:
    assert read_entries(Document("")) == {}
    assert read_entries(Document("models:\n")) == {"models": []}


def test_a_date_stays_text() -> None:
    document = Document("keys:\n  - {name: k, owner: o, expires_at: 2027-01-31}")
    assert read_entries(document)["keys"][0].entry.expires_at == "2027-01-31"


def test_a_path_is_spelled_as_people_write_it() -> None:
    assert spelled(("models", 0, "price", "input")) == "models[0].price.input"


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text(string.ascii_letters + string.digits + " .:-_#'\"äß", max_size=12)
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=5), inner)),
    max_leaves=8,
)


@given(st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=6), _values, max_size=4))
def test_plain_values_are_read_as_any_yaml_reader_reads_them(values: dict[str, Any]) -> None:
    text = yaml.safe_dump(values)
    assert Document(text).data == yaml.safe_load(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(Refused):
        assert set(read_entries(Document(text))) <= set(SECTIONS)

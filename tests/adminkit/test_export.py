from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adminkit.export import cell, write_csv

STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1+1", "-", '=HYPERLINK("http://x")'])  # noqa: RUF001
def test_what_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("plain - text = fine", "plain - text = fine"),
        (-5, "-5"),
        (-1.5, "-1.5"),
        (Decimal("-0.000000000001"), "-0.000000000001"),
        (Decimal("1E+3"), "1000"),
        (True, "True"),
        (datetime(2026, 11, 22, 9, 30, tzinfo=UTC), "2026-11-22T09:30:00+00:00"),
        (date(2026, 11, 22), "2026-11-22"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ("nul\x00", "nul"),
    ],
)
def test_numbers_dates_and_structures_stay_what_they_are(value: Any, text: str) -> None:
    assert cell(value) == text


@given(st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=2), max_size=5))
def test_any_text_comes_back_from_the_file_and_no_cell_starts_a_formula(rows: list[list[str]]) -> None:
    content = write_csv(["a", "b"], rows)
    read = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert read[0] == ["a", "b"]
    for given_row, row in zip(rows, read[1:], strict=True):
        for value, text in zip(given_row, row, strict=True):
            plain = value.replace("\x00", "")
            assert text in (plain, f"'{plain}")
            assert text.lstrip(" ")[:1] not in STARTS or not text.strip(" ")


def test_the_file_opens_as_utf8_in_spreadsheets() -> None:
    assert write_csv(["Köln"], [["東京"]]) == "\ufeffKöln\r\n東京\r\n".encode()

"""The page about dialects is what the code says."""

from __future__ import annotations

from pathlib import Path

from llmgateway.matrix import page, samples
from llmgateway.proxy.dialects.table import DIALECTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "dialects.md"


def test_the_page_about_dialects_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make docs writes it"


def test_the_page_tells_every_sample_of_every_dialect() -> None:
    text = page()
    for name, _ in samples():
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert line.count("|") == len(DIALECTS) + 2
        assert all(cell.strip() in ("yes", "as functions", "left out", "refused") for cell in line.split("|")[2:-1])

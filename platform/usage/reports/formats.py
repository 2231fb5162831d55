"""A cost report as a file. Each writer reads the report's rows once and keeps none of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import IO, Any

import msgspec

from adminkit.export import cell
from dataplane import money
from usage.reports import workbook
from usage.reports.costs import COUNTS, MEASURES, CostReport
from usage.totals import Measures

CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_encode = msgspec.json.Encoder(enc_hook=str).encode


def write(report: CostReport, kind: str, file: IO[bytes]) -> None:
    """`kind` is one of the offered formats. Raises BadReport when the format can't hold the report."""
    _WRITERS[kind](report, file)


def told(measures: Measures) -> dict[str, Any]:
    """The measures of a row; cost and what was saved as decimal strings."""
    sums = {"cost": money.to_text(measures.cost), "saved": money.to_text(measures.saved)}
    return {name: getattr(measures, name) for name in COUNTS} | sums


def _json(report: CostReport, file: IO[bytes]) -> None:
    head = {
        "period": report.period,
        "group_by": report.by,
        "filters": report.filters,
        "currency": "USD",
        "time_zone": "UTC",
        "generated_at": report.generated_at,
    }
    file.write(_encode(head)[:-1] + b',"rows":[')
    columns = report.columns
    for number, group in enumerate(report.rows()):
        row = dict(zip(columns, group.values, strict=True)) | told(group.measures)
        file.write((b"," if number else b"") + _encode(row))
    file.write(b'],"totals":' + _encode(told(report.totals)) + b"}")


def _csv(report: CostReport, file: IO[bytes]) -> None:
    """UTF-8 with a byte order mark, which Excel needs; the columns depend on the grouping alone."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([*report.columns, *MEASURES, "currency", "saved"])
    for group in report.rows():
        *measures, saved = told(group.measures).values()
        writer.writerow([*(cell(value) for value in group.values), *measures, "USD", saved])
    text.detach()


_WRITERS: dict[str, Callable[[CostReport, IO[bytes]], None]] = {"json": _json, "csv": _csv, "xlsx": workbook.write}

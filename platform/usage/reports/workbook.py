"""A cost report as a workbook of three tabs: the rows, the totals, and what somebody who finds the file has to know.

Rows are written as they come and not kept. A spreadsheet's number has fifteen digits, so the exact cost stands beside it as
text. Text goes through write_string, which takes nothing for a formula or a link.
"""

from __future__ import annotations

from typing import IO, Any

import xlsxwriter

from dataplane import money
from usage.reports.costs import COUNTS, MEASURES, BadReport, CostReport
from usage.totals import Group, Measures

SHEET_ROWS = 1_048_576
"""What a spreadsheet holds, its heading included."""

WIDEST_TEXT = 32_767

EXACT = ("cost_exact", "saved", "saved_exact")
"""Columns behind the measures."""


def write(report: CostReport, file: IO[bytes]) -> None:
    """Raises BadReport when it has more rows than a spreadsheet."""
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        book.set_properties({"title": f"Costs {report.period}", "created": report.generated_at.replace(tzinfo=None)})
        tabs = _Tabs(book)
        tabs.head(report.columns)
        for number, group in enumerate(report.rows(), start=1):
            if number >= SHEET_ROWS:
                raise BadReport("format", f"A spreadsheet holds {SHEET_ROWS - 1:,} rows and this report has more: ask for csv.")
            tabs.row(number, group)
        tabs.foot(report)


class _Tabs:
    def __init__(self, book: Any) -> None:
        self.costs, self.totals, self.about = (book.add_worksheet(name) for name in ("Costs", "Totals", "About"))
        self.bold = book.add_format({"bold": True})
        self.dollars = book.add_format({"num_format": "#,##0.00######"})
        self.day = book.add_format({"num_format": "yyyy-mm-dd"})

    def head(self, columns: tuple[str, ...]) -> None:
        self.costs.freeze_panes(1, 0)
        self.costs.set_column(0, max(0, len(columns) - 1), 24)
        for column, heading in enumerate((*columns, *MEASURES, *EXACT)):
            self.costs.write_string(0, column, heading, self.bold)
        for column, heading in enumerate((*MEASURES, *EXACT)):
            self.totals.write_string(0, column, heading, self.bold)

    def row(self, number: int, group: Group) -> None:
        for column, value in enumerate(group.values):
            if isinstance(value, str):
                self.costs.write_string(number, column, value[:WIDEST_TEXT])
            elif isinstance(value, int):
                self.costs.write_number(number, column, value)
            elif value is not None:
                self.costs.write_datetime(number, column, value, self.day)
        self._measures(self.costs, number, len(group.values), group.measures)

    def foot(self, report: CostReport) -> None:
        self._measures(self.totals, 1, 0, report.totals)
        self.about.set_column(0, 1, 40)
        for row, (name, value) in enumerate([*report.about(), ("rows", f"{report.count:,}")]):
            self.about.write_string(row, 0, name, self.bold)
            self.about.write_string(row, 1, value)

    def _measures(self, sheet: Any, row: int, column: int, measures: Measures) -> None:
        for name in COUNTS:
            sheet.write_number(row, column, getattr(measures, name))
            column += 1
        sheet.write_number(row, column, float(measures.cost), self.dollars)
        sheet.write_string(row, column + 1, money.to_text(measures.cost))
        sheet.write_number(row, column + 2, float(measures.saved), self.dollars)
        sheet.write_string(row, column + 3, money.to_text(measures.saved))

"""CSV of a list as its user sees it: the rows of the filter, the fields the admin names, nothing a spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from adminkit.base import ActionAdmin

# What starts a formula, with the full-width twins that some spreadsheets read as the same.
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def cell(value: Any) -> str:
    """`value` as text that no spreadsheet takes for a formula (OWASP: a leading quote). Numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float | Decimal):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    text = str(value).replace("\x00", "")
    return f"'{text}" if text.lstrip(" ")[:1] in _FORMULA and text.strip(" ") else text


def write_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """UTF-8 with a byte order mark, since Excel reads a CSV without one in the local 8-bit code page."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([cell(name) for name in header])
    writer.writerows([cell(value) for value in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def csv_attachment(filename: str, content: bytes) -> HttpResponse:
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "no-store"
    return response


def export_csv(admin: ActionAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
    """The admin action: the selected rows, or all that the list's filters and search let through."""
    if queryset.order_by()[: admin.export_limit + 1].count() > admin.export_limit:
        messages.error(request, f"These are more than {admin.export_limit:,} rows: narrow them down by a filter first.")
        return None
    header = [name.replace("__", ".") for name in admin.export_fields]  # stable names: programs read these files too
    rows = ([_value(admin, obj, name) for name in admin.export_fields] for obj in queryset.iterator(chunk_size=2000))
    return csv_attachment(f"{admin.opts.model_name}.csv", write_csv(header, rows))


def _value(admin: ActionAdmin, obj: Any, name: str) -> Any:
    """A method of the admin, or an attribute path of the object such as `owner__team__name`."""
    method = getattr(admin, name, None)
    if callable(method):
        return method(obj)
    value = obj
    for part in name.split("__"):
        try:
            value = getattr(value, part, None)
        except ObjectDoesNotExist:
            return None
    return value() if callable(value) else value

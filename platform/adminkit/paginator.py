"""Counts for lists that may hold millions of rows: exact while cheap, PostgreSQL's estimate or a cap beyond."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db import connections

EXACT_UP_TO = 10_000
DEEPEST_OFFSET = 100_000
"""Rows that paging reaches. Beyond it an OFFSET costs more than a person waits for: filter instead."""

# A partitioned table has no rows of its own; its estimate is the sum over its partitions.
_ESTIMATE = """
    WITH RECURSIVE parts AS (
        SELECT to_regclass(%s)::oid AS oid
        UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN parts p ON i.inhparent = p.oid
    )
    SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM parts JOIN pg_class c USING (oid) WHERE c.relkind <> 'p'
"""


class EstimatedCountPaginator(Paginator):  # type: ignore[type-arg]
    """`count` is exact up to EXACT_UP_TO. Above, it is the planner's estimate for a whole table on PostgreSQL, and
    EXACT_UP_TO itself for anything filtered or on another database: "at least this many"."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        if not hasattr(rows, "query"):
            return len(rows)
        few = int(rows.order_by()[: EXACT_UP_TO + 1].count())
        if few <= EXACT_UP_TO:
            return few
        return max(EXACT_UP_TO, self._estimate(rows))

    @cached_property
    def num_pages(self) -> int:
        reachable = min(self.count, DEEPEST_OFFSET)
        return max(1, -(-max(0, reachable - self.orphans) // int(self.per_page)))

    def _estimate(self, rows: Any) -> int:
        if rows.query.where or connections[rows.db].vendor != "postgresql":
            return EXACT_UP_TO
        with connections[rows.db].cursor() as cursor:
            cursor.execute(_ESTIMATE, [f'"{rows.model._meta.db_table}"'])
            return int(cursor.fetchone()[0])

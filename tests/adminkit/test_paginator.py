from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adminkit import paginator as paging
from adminkit.paginator import EstimatedCountPaginator
from identity.models import Team
from tests import factories

ROOT = Path(__file__).parents[2]


def paginator(rows: Any, per_page: int = 2) -> EstimatedCountPaginator:
    return EstimatedCountPaginator(rows, per_page)


def test_few_rows_are_counted_exactly(research: Team, sales: Team) -> None:
    pages = paginator(Team.objects.order_by("name"))
    assert (pages.count, pages.num_pages) == (3, 2)
    assert [team.name for team in pages.page(2)] == ["sales"]
    assert paginator(Team.objects.none()).num_pages == 1
    assert paginator(["a", "b", "c"]).count == 3


def test_many_rows_are_counted_up_to_the_cap_and_no_further(
    acme: Team, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    for _ in range(6):
        factories.make_team()
    monkeypatch.setattr(paging, "EXACT_UP_TO", 5)
    with django_assert_num_queries(1) as queries:
        assert paginator(Team.objects.filter(parent=acme)).count == 5
    assert "LIMIT 6" in queries.captured_queries[0]["sql"]


def test_paging_ends_where_an_offset_would_be_too_deep(acme: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        factories.make_team()
    monkeypatch.setattr(paging, "DEEPEST_OFFSET", 4)
    pages = paginator(Team.objects.order_by("name"))
    assert (pages.count, pages.num_pages) == (7, 2)


_PROGRAM = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from adminkit import paginator as paging
from identity.models import Team
call_command("migrate", verbosity=0)
paging.EXACT_UP_TO = 5
with connection.cursor() as cursor:
    cursor.execute("INSERT INTO auth_group (name) SELECT 'g' || n FROM generate_series(1, 3000) n")
    cursor.execute(
        "INSERT INTO identity_team (name, group_id, parent_id, cost_center, created_at) "
        "SELECT name, id, NULL, '', now() FROM auth_group WHERE name = 'g1'"
    )
    cursor.execute(
        "INSERT INTO identity_team (name, group_id, parent_id, cost_center, created_at) "
        "SELECT name, id, (SELECT id FROM identity_team), '', now() FROM auth_group WHERE name <> 'g1'"
    )
    cursor.execute("ANALYZE identity_team")
    print(paging.EstimatedCountPaginator(Team.objects.order_by("pk"), 50).count)
    print(paging.EstimatedCountPaginator(Team.objects.filter(cost_center=""), 50).count)
    cursor.execute("CREATE TABLE parted (id bigint, at int) PARTITION BY RANGE (at)")
    for part in range(3):
        cursor.execute(f"CREATE TABLE parted_{part} PARTITION OF parted FOR VALUES FROM ({part}) TO ({part + 1})")
    cursor.execute("INSERT INTO parted SELECT n, n % 3 FROM generate_series(1, 900) n")
    cursor.execute("ANALYZE parted_0, parted_1, parted_2")
    cursor.execute(paging._ESTIMATE, ['"parted"'])
    print(cursor.fetchone()[0])
"""


def test_a_large_table_is_estimated_on_postgresql_and_so_is_a_partitioned_one(postgres_url: str, tmp_path: Path) -> None:
    env = {
        **os.environ,
        "CUSTOMHOUSE_DATABASE_URL": postgres_url,
        "CUSTOMHOUSE_HOME": str(tmp_path),
        "CUSTOMHOUSE_SECRET_KEY": secrets.token_urlsafe(48),
        "CUSTOMHOUSE_KEY_PEPPER": secrets.token_urlsafe(48),
        "CUSTOMHOUSE_SEAL_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=env, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == ["3000", "5", "900"]

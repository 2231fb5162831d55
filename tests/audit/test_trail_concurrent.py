"""Several connections write at once, on the databases that serve: one chain comes out, without gaps and without forks."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WRITERS, EACH = 4, 25

_PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
import django
django.setup()
from django.core.management import call_command
from django.db import connection, transaction
from audit import trail
from identity import actions

call_command("migrate", verbosity=0)
team = actions.create_team(actor=None, name="acme")

def write(writer):
    for n in range(int(sys.argv[2])):
        with transaction.atomic():
            trail.record(actor=None, action="test.thing.update", target=team, changes={"n": [writer, n]})
            if n % 5 == 4:
                transaction.set_rollback(True)
    connection.close()

with ThreadPoolExecutor(int(sys.argv[1])) as pool:
    list(pool.map(write, range(int(sys.argv[1]))))
verdict = trail.verify()
print(verdict.length, verdict.bad, verdict.reason)
"""


def _written_by_many(database_url: str, home: Path) -> str:
    env = {
        **os.environ,
        "CUSTOMHOUSE_DATABASE_URL": database_url,
        "CUSTOMHOUSE_HOME": str(home),
        "CUSTOMHOUSE_SECRET_KEY": secrets.token_urlsafe(48),
        "CUSTOMHOUSE_KEY_PEPPER": secrets.token_urlsafe(48),
        "CUSTOMHOUSE_SEAL_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }
    command = [sys.executable, "-c", _PROGRAM, str(WRITERS), str(EACH)]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].strip()


def test_many_writers_make_one_chain_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    assert _written_by_many(postgres_url, tmp_path) == f"{1 + WRITERS * EACH * 4 // 5} None"


def test_many_writers_make_one_chain_on_sqlite(tmp_path: Path) -> None:
    assert _written_by_many(f"sqlite:///{tmp_path}/db.sqlite3", tmp_path) == f"{1 + WRITERS * EACH * 4 // 5} None"

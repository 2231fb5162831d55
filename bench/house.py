"""A whole house for a measurement: control plane, one gateway, one fake upstream, everything governed and metered.

Made the way an operator makes one: migrations, a file for `manage.py apply`, the commands of docker-compose.yml. Redis
carries snapshot, leases and usage; its database 14 is emptied first.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path
from types import TracebackType

import redis

from bench.processes import Running, answers, eventually, free_port, listening

ROOT = Path(__file__).resolve().parents[1]
REDIS = os.environ.get("CUSTOMHOUSE_BENCH_REDIS_URL", "redis://127.0.0.1:6379/14")
KEY = "ch_benchkey_" + "b" * 40
GATEWAY_CPU, OTHER_CPU = 0, 1

FILE = """
providers:
  - {{name: fake, dialect: openai, base_url: "http://127.0.0.1:{upstream}/v1", api_key: sk-bench, allow_private_network: true}}
models:
  - name: bench-model
    deployments: [{{provider: fake, model: bench-model}}]
    price: {{input: "0.15", output: "0.60", cached_input: "0.075"}}
teams:
  - name: acme
    limits: {{rpm: 2000000000, tpm: 2000000000}}
    budget: {{limit: "{budget}", period: month, mode: hard}}
  - {{name: research, parent: acme}}
service_accounts:
  - {{name: bench, team: research}}
keys:
  - {{name: bench-key, owner: bench, secret: env:BENCH_KEY}}
servers:
  - name: io.example.bench/tools
    slug: bench
    url: "http://127.0.0.1:{upstream}/mcp"
    version: "1.0.0"
    allow_private_network: true
    approve: true
grants:
  - {{to: "team:acme", use: ["model:bench-model", "server:bench"]}}
"""


class House:
    """`with House(server="granian") as house:` — ready to be called at `house.url` with KEY. `contents` is another file for
    `manage.py apply` than FILE; whoever gives one brings its own upstream."""

    def __init__(
        self,
        *,
        server: str,
        events: int = 50,
        gap: float = 0.0,
        budget: str = "1000000",
        workers: int = 1,
        pinned: bool = True,
        stamped: bool = False,
        contents: str = "",
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="customhouse-bench-"))
        self.upstream_port, self.port, self.web_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.upstream_url = f"http://127.0.0.1:{self.upstream_port}"
        self._budget, self._events, self._gap, self._stamped = budget, events, gap, stamped
        self._contents = contents
        self._cpus = (GATEWAY_CPU, OTHER_CPU) if pinned and (os.cpu_count() or 1) > 1 else (None, None)
        self._running: list[Running] = []
        self.ids = self.directory / "ids"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CUSTOMHOUSE_")},
            "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "CUSTOMHOUSE_HOME": str(self.directory / "home"),
            "CUSTOMHOUSE_REDIS_URL": REDIS,
            "CUSTOMHOUSE_SECRET_KEY": secrets.token_urlsafe(48),
            "CUSTOMHOUSE_KEY_PEPPER": secrets.token_urlsafe(48),
            "CUSTOMHOUSE_SEAL_KEY": b64encode(secrets.token_bytes(32)).decode(),
            "CUSTOMHOUSE_LOG_LEVEL": "WARNING",
            "CUSTOMHOUSE_WORKERS": str(workers),
            "CUSTOMHOUSE_SERVER": server,
            "BENCH_KEY": KEY,
        }

    def __enter__(self) -> House:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for running in reversed(self._running):
            running.end()

    def _start(self) -> None:
        redis.Redis.from_url(REDIS).flushdb()
        upstream = [sys.executable, str(ROOT / "bench/upstream.py"), "--port", str(self.upstream_port), "--ids", str(self.ids)]
        upstream += ["--stamped"] if self._stamped else []
        self.run("upstream", [*upstream, "--events", str(self._events), "--gap", str(self._gap)], cpu=self._cpus[1])
        eventually(lambda: listening(self.upstream_port), what="the fake upstream listens")
        file = self.directory / "house.yaml"
        file.write_text(self._contents or FILE.format(upstream=self.upstream_port, budget=self._budget))
        self.manage("migrate", "--verbosity", "0")
        self.manage("apply", str(file))
        self.control = self.run("control", [sys.executable, "-m", "config.server"], port=self.web_port, server="daphne", cpu=self._cpus[1])
        eventually(lambda: answers(f"http://127.0.0.1:{self.web_port}/livez"), what="the control plane answers")
        self.start_gateway()

    def start_gateway(self) -> None:
        self.gateway = self.run("gateway", [sys.executable, "-m", "config.server", "gateway"], port=self.port, cpu=self._cpus[0])
        eventually(lambda: answers(f"{self.url}/readyz"), what="the gateway is ready")

    def run(self, name: str, command: list[str], *, port: int | None = None, server: str | None = None, cpu: int | None = None) -> Running:
        env = dict(self.env)
        if port is not None:
            env["PORT"] = str(port)
        if server is not None:
            env["CUSTOMHOUSE_SERVER"] = server
        running = Running(command, log=self.directory / f"{name}.log", env=env, cpu=cpu)
        self._running.append(running)
        return running

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments], env=self.env, capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def ledger(self, columns: str) -> list[tuple[object, ...]]:
        """The ledger's entries, straight from the database file."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.directory / 'home' / 'db.sqlite3'}?mode=ro", uri=True, timeout=30)
        ) as database:
            return database.execute(f"SELECT {columns} FROM usage_ledgerentry").fetchall()  # noqa: S608 - our own columns

    def body(self, name: str, value: object) -> Path:
        """A request body, as a file for the load generator."""
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(value))
        return path

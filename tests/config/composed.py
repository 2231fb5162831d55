"""The processes of docker-compose.yml, started natively with the very commands that stand there."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shlex
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.config.houses import ROOT, Process, environ, free_port, wait_for
from tests.config.severed import Severable

_VARIABLE = re.compile(r"\$\{(\w+)(?::?([-?])([^}]*))?\}")

SET_UP = """
import json, sys
from pathlib import Path
from config.tour import contents, state as states
home = Path(sys.argv[1])
state = states.load(home)
contents.set_up(state, base_url=sys.argv[2])
fields = ("admin_user", "admin_password", "admin_key", "key", "model", "server", "agent")
print(json.dumps({name: getattr(state, name) for name in fields}))
"""


class Composed:
    """`web` and `gateways` are base addresses; `database` can be cut off. `tour` is what a tour.json would say."""

    def __init__(self, folder: Path, *, database_url: str, redis_url: str) -> None:
        self.folder = folder
        self.compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        self.database = Severable(database_url)
        self._given = {
            "CUSTOMHOUSE_SECRET_KEY": secrets.token_urlsafe(32),
            "CUSTOMHOUSE_KEY_PEPPER": secrets.token_urlsafe(32),
            "CUSTOMHOUSE_SEAL_KEY": b64encode(secrets.token_bytes(32)).decode(),
            "POSTGRES_PASSWORD": "unused",
        }
        self._services = {"CUSTOMHOUSE_DATABASE_URL": self.database.url, "CUSTOMHOUSE_REDIS_URL": redis_url}
        self.processes: dict[str, Process] = {}
        self.ports: dict[str, int] = {}

    def __enter__(self) -> Composed:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        self.run("migrate")
        web = self._port("web")
        self.web = f"http://127.0.0.1:{web}"
        # What is not in the file: the sandbox, and where it can be reached from here.
        self.start("web", CUSTOMHOUSE_SANDBOX="1", CUSTOMHOUSE_PUBLIC_URL=self.web)
        replicas = self.compose["services"]["gateway"]["deploy"]["replicas"]
        names = [f"gateway-{number}" for number in range(1, replicas + 1)]
        self.gateways = [f"http://127.0.0.1:{self._port(name)}" for name in names]
        for name in names:
            self.start(name)
        self.start("worker")
        self.start("beat")
        for url in (self.web, *self.gateways):
            wait_for(lambda url=url: self._ready(url), within=60, what=f"{url} getting ready")
        self.tour = self._set_up()
        for url in self.gateways:
            wait_for(lambda url=url: self._knows_key(url), within=1, what=f"the tour's key at {url}")

    def __exit__(self, *error: object) -> None:
        for process in self.processes.values():
            process.kill()
        self.database.close()

    def start(self, name: str, **values: str) -> Process:
        self._check_all_run()
        process = Process(name, self._command(name), self._environ(name, **values), self.folder / f"{name}.log")
        self.processes[name] = process
        return process

    def run(self, name: str) -> None:
        done = subprocess.run(
            self._command(name), cwd=ROOT, env=self._environ(name), capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environ("manage"), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def client(self, url: str, key: str | None = None) -> Iterator[httpx.Client]:
        headers = {"authorization": f"Bearer {key or self.tour['key']}"}
        with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
            yield client

    def logs(self) -> str:
        return "\n".join(f"== {name}\n{process.output()[-3000:]}" for name, process in self.processes.items())

    def _check_all_run(self) -> None:
        for name, process in self.processes.items():
            assert process.running, f"{name} ended:\n{process.output()}"

    def _ready(self, url: str) -> bool:
        self._check_all_run()
        try:
            return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def _knows_key(self, url: str) -> bool:
        with self.client(url) as client:
            return client.get("/v1/models").status_code == 200

    def _port(self, name: str) -> int:
        self.ports[name] = free_port()
        return self.ports[name]

    def _service(self, name: str) -> dict[str, Any]:
        service: dict[str, Any] = self.compose["services"][name.partition("-")[0]]
        return service

    def _command(self, name: str) -> list[str]:
        """The service's own command, with this environment's interpreter for the container's."""
        command = self._service(name)["command"]
        words = command if isinstance(command, list) else shlex.split(command)
        programs = {"python": [sys.executable], "celery": [sys.executable, "-m", "celery"]}
        return [*programs[words[0]], *words[1:]]

    def _environ(self, name: str, **values: str) -> dict[str, str]:
        """The service's own environment, its variables filled in, and what differs natively: addresses, ports, homes."""
        service = self._service(name) if name != "manage" else self._service("web")
        stated = {key: self._filled(str(value)) for key, value in service["environment"].items()}
        home = self.folder / "homes" / name
        home.mkdir(parents=True, exist_ok=True)
        native = {"CUSTOMHOUSE_HOME": str(home), "PORT": str(self.ports.get(name, 8000)), **self._services}
        return environ(**{**stated, **native, **values})

    def _filled(self, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            name, kind, rest = match.groups()
            if name in self._given:
                return self._given[name]
            assert kind == "-", f"docker-compose.yml asks for {name}"
            return str(rest)

        return _VARIABLE.sub(value, text)

    def _set_up(self) -> dict[str, str]:
        command = [
            sys.executable,
            "manage.py",
            "shell",
            "-v0",
            "-c",
            SET_UP.replace("sys.argv[1]", repr(str(self.folder))).replace("sys.argv[2]", repr(self.web)),
        ]
        done = subprocess.run(command, cwd=ROOT, env=self._environ("manage"), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{done.stderr}\n{self.logs()}"
        tour: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
        return tour

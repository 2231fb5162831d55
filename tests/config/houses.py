"""Houses as processes of their own, for tests that look at them from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROOTS = os.pathsep.join((str(ROOT), str(ROOT / "platform")))
VENDOR_KEYS = ("OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE", "MISTRAL", "OPENROUTER", "GROQ", "DEEPSEEK", "XAI", "COHERE", "CEREBRAS")
"""Taken out of the environment: a test must not call a vendor with the key of whoever runs it."""


def wait_for(condition: Callable[[], Any], *, within: float = 20.0, what: str = "it") -> Any:
    """What the condition gives when it holds."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come about within {within} s"
        time.sleep(0.02)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environ(**values: str) -> dict[str, str]:
    """This process's environment without what belongs to another house, and with `values`."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("CUSTOMHOUSE_") and not name.startswith(VENDOR_KEYS)
    }
    return {**inherited, "PYTHONPATH": ROOTS, **values}


# A test run that is killed leaves no house behind: the kernel ends the child with its parent (prctl PR_SET_PDEATHSIG).
LEASH = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"


class Process:
    """A command of the house, its output in a file. `stop` sends SIGTERM and gives the exit status."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        if sys.platform == "linux":
            command = [sys.executable, "-c", LEASH, *command]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=dict(env), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self, *, within: float = 30.0) -> int:
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {within} s:\n{self.output()[-2000:]}") from None

    def ends(self, *, within: float = 30.0) -> int:
        """Its exit status, for one that is expected to end by itself."""
        try:
            return self.process.wait(timeout=within)
        finally:
            self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


class Toured:
    """A house that `make run` has started: `tour` is its tour.json."""

    def __init__(self, home: Path, *, port: int | None = None, **values: str) -> None:
        self.home = home
        self.port = port or free_port()
        self.env = environ(CUSTOMHOUSE_HOME=str(home), PORT=str(self.port), **values)
        home.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        self.process = Process("house", [sys.executable, "-m", "config.run"], self.env, home / "house.log")

    def wait_for_tour(self) -> dict[str, str]:
        path = self.home / "tour.json"
        wait_for(lambda: path.exists() or not self.process.running, within=150, what="the tour")
        assert path.exists(), self.process.output()
        self.tour: dict[str, str] = json.loads(path.read_text())
        return self.tour

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`manage.py` in a process of its own beside the running house."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True, check=check, timeout=60
        )


@contextlib.contextmanager
def toured(home: Path, **values: str) -> Iterator[Toured]:
    house = Toured(home, **values)
    try:
        house.wait_for_tour()
        yield house
    finally:
        house.process.kill()

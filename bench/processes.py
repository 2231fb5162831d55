"""Starting and ending what is measured: each process in a session of its own, ended by its own id, its output kept."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PATIENCE = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(happened: Callable[[], bool], *, what: str, within: float = PATIENCE) -> None:
    """Returns when `happened` does. Raises TimeoutError that says what did not happen."""
    until = time.monotonic() + within
    while not happened():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} within {within:.0f} s")
        time.sleep(0.05)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Running:
    """A child process. `pid` is the root of the tree whose CPU is counted."""

    def __init__(self, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cpu: int | None = None) -> None:
        self.log = log
        self._file = log.open("ab")
        self._process = subprocess.Popen(
            command,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env=dict(os.environ if env is None else env),
            start_new_session=True,
            preexec_fn=None if cpu is None else lambda: os.sched_setaffinity(0, {cpu}),
        )
        self.pid = self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """As a crash does it: the whole group, at once."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def end(self, *, within: float = 30.0) -> None:
        """Asks to stop, and insists when it does not."""
        if self.alive():
            self._process.terminate()
            try:
                self._process.wait(within)
            except subprocess.TimeoutExpired:
                self.kill()
        self._file.close()

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

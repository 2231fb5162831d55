"""`make bench`: what governance costs, against nginx as a plain reverse proxy in the same run.

CPU per call is the time of the measured process tree over the calls it answered; compare ratios, not machines. Points of
all subjects alternate and the calmest of each is kept, because a shared machine changes its speed from minute to minute.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from bench import cpu
from bench.house import GATEWAY_CPU, KEY, OTHER_CPU, ROOT, House
from bench.processes import Running, eventually, free_port, listening

CHAT = {
    "model": "bench-model",
    "messages": [{"role": "user", "content": "Hello there, please answer in one short sentence about the weather."}],
    "temperature": 0.2,
    "max_tokens": 64,
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "tool_1", "arguments": {"text": "hello"}, "_meta": META}}
MCP_HEADERS = [
    "Accept: application/json, text/event-stream",
    "MCP-Protocol-Version: 2026-07-28",
    "Mcp-Method: tools/call",
    "Mcp-Name: tool_1",
]
NGINX = """
worker_processes 1; daemon off; error_log {directory}/error.log; pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream fake {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000000;
    location / {{ proxy_pass http://fake; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }}
}}
"""


class Work(NamedTuple):
    name: str
    path: str
    body: Path
    connections: int
    headers: tuple[str, ...] = ()
    stream: bool = False
    gap: float = 0.0


class Subject(NamedTuple):
    name: str
    pid: int
    url: str


def load(work: Work, url: str, seconds: float) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "bench/load.py"), "--url", url + work.path, "--body", str(work.body)]
    command += ["--connections", str(work.connections), "--seconds", str(seconds), "--header", f"Authorization: Bearer {KEY}"]
    for header in work.headers:
        command += ["--header", header]
    if work.stream:
        command += ["--stream", "--gap", str(work.gap)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 120, preexec_fn=_aside)
    result: dict[str, Any] = json.loads(done.stdout)
    if result["failed"] or set(result["statuses"]) != {"200"}:
        raise RuntimeError(f"{work.name}: {result}")
    return result


def _aside() -> None:
    import os

    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {OTHER_CPU})


def point(work: Work, subject: Subject, seconds: float) -> dict[str, Any]:
    before = cpu.seconds(subject.pid)
    result = load(work, subject.url, seconds)
    result["cpu_us"] = (cpu.seconds(subject.pid) - before) * 1e6 / max(result["calls"], 1)
    result["event_us"] = result["cpu_us"] * result["calls"] / result["events"] if result["events"] else 0.0
    return result


def best(work: Work, subjects: list[Subject], *, seconds: float, rounds: int) -> dict[str, dict[str, Any]]:
    """Each subject's calmest point, by CPU; the subjects take turns."""
    found: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for subject in subjects:
            result = point(work, subject, seconds)
            if subject.name not in found or result["cpu_us"] < found[subject.name]["cpu_us"]:
                found[subject.name] = result
    return found


def nginx(directory: Path, upstream: int) -> tuple[Running, str]:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(binary).exists():
        sys.exit("nginx is not here: it is what we compare with (Debian: apt-get install nginx-light)")
    port = free_port()
    file = directory / "nginx.conf"
    file.write_text(NGINX.format(directory=directory, upstream=upstream, port=port))
    running = Running([binary, "-c", str(file), "-e", str(directory / "error.log")], log=directory / "nginx.log", cpu=GATEWAY_CPU)
    eventually(lambda: listening(port), what="nginx listens")
    return running, f"http://127.0.0.1:{port}"


def table(title: str, results: dict[str, dict[str, Any]], *, direct: dict[str, Any] | None, stream: bool = False) -> None:
    floor = results["nginx"]
    print(f"\n{title}")
    heads = ["", "CPU µs/call", "x nginx", "calls/s", "p50 ms", "p99 ms", "added p50", "added p99"]
    if stream:
        heads += ["CPU µs/event", "late p99 ms", "late max ms"]
    print("  " + "".join(head.rjust(13) for head in heads))
    for name, row in results.items():
        base = direct or floor
        cells = [name, f"{row['cpu_us']:.0f}", f"{row['cpu_us'] / floor['cpu_us']:.1f}", f"{row['per_second']:.0f}"]
        cells += [
            f"{row['p50_ms']:.2f}",
            f"{row['p99_ms']:.2f}",
            f"{row['p50_ms'] - base['p50_ms']:.2f}",
            f"{row['p99_ms'] - base['p99_ms']:.2f}",
        ]
        if stream:
            cells += [f"{row['event_us']:.1f}", f"{row['late_p99_ms']:.1f}", f"{row['late_max_ms']:.1f}"]
        print("  " + "".join(cell.rjust(13) for cell in cells))


def measure(*, servers: list[str], seconds: float, rounds: int) -> None:
    for server in servers:
        with House(server=server, events=50, gap=0.0) as house:
            proxy, proxy_url = nginx(house.directory, house.upstream_port)
            try:
                chat, streamed, call = (
                    house.body("chat", CHAT),
                    house.body("stream", {**CHAT, "stream": True}),
                    house.body("call", CALL),
                )
                ours = Subject(server, house.gateway.pid, house.url)
                theirs = Subject("nginx", proxy.pid, proxy_url)
                for connections in (1, 16, 64):
                    work = Work("chat", "/v1/chat/completions", chat, connections)
                    direct = load(work, house.upstream_url, min(seconds, 2.0))
                    title = f"{server}: chat, not streamed, {connections} connections (added: over the upstream itself)"
                    table(title, best(work, [theirs, ours], seconds=seconds, rounds=rounds), direct=direct)
                work = Work("stream", "/v1/chat/completions", streamed, 16, stream=True)
                results = best(work, [theirs, ours], seconds=seconds, rounds=rounds)
                table(f"{server}: streams of 50 events without pauses, 16 connections", results, direct=None, stream=True)
                work = Work("call", "/mcp", call, 16, headers=tuple(MCP_HEADERS))
                floor = best(work, [theirs], seconds=seconds, rounds=rounds)
                results = best(work._replace(path="/mcp/bench"), [ours], seconds=seconds, rounds=rounds)
                table(f"{server}: MCP tools/call (2026-07-28), 16 connections", floor | results, direct=None)
            finally:
                proxy.end()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", default="granian,daphne")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one point")
    parser.add_argument("--rounds", type=int, default=3, help="points of each, of which the calmest is kept")
    options = parser.parse_args()
    measure(servers=options.servers.split(","), seconds=options.seconds, rounds=options.rounds)


if __name__ == "__main__":
    main()

"""`python -m bench.streams`: 512 streams at once, and a prompt of 400 KB, on a governed house.

Every event carries its number and the time it was sent, so that what is lost, out of order or late is seen; lateness is told
beside that of the same load sent to the upstream itself. Memory is what the gateway's processes grew by while all streams ran,
over their number.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import cpu
from bench.house import KEY, OTHER_CPU, ROOT, House

CHAT = {"model": "bench-model", "stream": True, "messages": [{"role": "user", "content": "Hello there."}], "max_tokens": 64}
PROMPT = 400 * 1024


def rss(root: int) -> int:
    """Resident bytes of a process and everything below it."""
    parents: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        fields = text[text.rfind(")") + 2 :].split()
        pages[int(path.parent.name)] = int(fields[21])
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    total, left = 0, [root]
    while left:
        pid = left.pop()
        total += pages.get(pid, 0)
        left.extend(parents.get(pid, []))
    return total * os.sysconf("SC_PAGE_SIZE")


def _aside() -> None:
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {OTHER_CPU})


def watched(url: str, body: Path, *, pid: int, streams: int, events: int, gap: float) -> dict[str, Any]:
    """All streams at once; with the CPU and the memory that process `pid` took for them."""
    command = [sys.executable, "-m", "bench.stream_load", "--url", url + "/v1/chat/completions", "--body", str(body)]
    command += ["--streams", str(streams), "--events", str(events), "--header", f"Authorization: Bearer {KEY}"]
    resting, spent = rss(pid), cpu.seconds(pid)
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=_aside)
    assert load.stdout is not None
    load.stdout.readline()
    time.sleep(max(0.5, events * gap / 2))
    peak = rss(pid)
    result: dict[str, Any] = json.loads(load.stdout.readline())
    load.wait(30)
    result["cpu_us_event"] = (cpu.seconds(pid) - spent) * 1e6 / max(result["events"], 1)
    result["kib_stream"] = max(0, peak - resting) / 1024 / streams
    return result


def streams(*, server: str, count: int, events: int, gap: float) -> None:
    with House(server=server, events=events, gap=gap, stamped=True) as house:
        body = house.body("stream", CHAT)
        watched(house.url, body, pid=house.gateway.pid, streams=32, events=events, gap=gap)
        direct = watched(house.upstream_url, body, pid=house.gateway.pid, streams=count, events=events, gap=gap)
        ours = watched(house.url, body, pid=house.gateway.pid, streams=count, events=events, gap=gap)
        print(f"\n{server}: {count} streams at once, an event every {gap * 1000:.0f} ms, {events} events each")
        heads = ("", "answered", "ended", "in order", "lost", "late p50 ms", "late p99 ms", "late max ms", "CPU µs/event", "KiB/stream")
        print("  " + "".join(head.rjust(13) for head in heads))
        for name, row in (("direct", direct), (server, ours)):
            cells = [name, row["ok"], row["ended"], row["in_order"], row["lost"]]
            cells += [f"{row[field]:.1f}" for field in ("late_p50_ms", "late_p99_ms", "late_max_ms")]
            cells += ["", ""] if name == "direct" else [f"{row['cpu_us_event']:.1f}", f"{row['kib_stream']:.0f}"]
            print("  " + "".join(str(cell).rjust(13) for cell in cells))
        print(f"  late max beyond the upstream's own pace: {ours['late_max_ms'] - direct['late_max_ms']:.1f} ms (bound: 250 ms)")


def prompts(*, server: str, seconds: float) -> None:
    """What a large prompt costs, same dialect on both sides, beside a small one in the same run."""
    from bench.__main__ import Subject, Work, best

    text = "The quick brown fox jumps over the lazy dog; \u00e9t\u00e9 \u4e2d\u6587. "
    with House(server=server) as house:
        messages = [{"role": "user", "content": text * (PROMPT // len(json.dumps(text)))}]
        small = house.body("small", {**CHAT, "stream": False})
        large = house.body("large", {**CHAT, "stream": False, "messages": messages})
        subject = [Subject(server, house.gateway.pid, house.url)]
        costs = {}
        for name, file in (("small", small), ("large", large)):
            work = Work(name, "/v1/chat/completions", file, 1)
            costs[name] = best(work, subject, seconds=seconds, rounds=3)[server]["cpu_us"] / 1000
        size = large.stat().st_size / 1024
        print(f"\n{server}: a prompt of {size:.0f} KB, same dialect, 1 connection")
        print(f"  gateway CPU per call {costs['large']:.2f} ms (bound: 3 ms); of a small prompt in the same run {costs['small']:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--servers", default="granian")
    parser.add_argument("--streams", type=int, default=512)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--gap", type=float, default=0.15)
    options = parser.parse_args()
    for server in options.servers.split(","):
        streams(server=server, count=options.streams, events=options.events, gap=options.gap)
        prompts(server=server, seconds=3.0)


if __name__ == "__main__":
    main()

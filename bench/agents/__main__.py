"""`python -m bench.agents`: the real Claude Code and Codex work through a task at a house, on each vendor's wire.

Each run has its own model in the house, at an upstream that plays the vendor: it speaks the vendor's wire, takes one step
after another with the tool's own tools, and checks that everything it said and every tool's result comes back as it was.
Afterwards the ledger must tell the tokens that the upstream said, exactly. Everything stays on loopback.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench import cpu
from bench.agents.tap import Tap
from bench.agents.targets import TARGETS
from bench.agents.tools import TOOLS, Tool, run
from bench.agents.turns import Used
from bench.agents.upstream import Lane, Upstream
from bench.agents.work import Task
from bench.house import House
from bench.processes import eventually, free_port

HEAD = """
teams:
  - name: acme
    limits: {rpm: 2000000000, tpm: 2000000000}
    budget: {limit: "1000000", period: month, mode: hard}
service_accounts:
  - {name: bench, team: acme}
keys:
  - {name: bench-key, owner: bench, secret: env:BENCH_KEY}
"""


@dataclass
class Outcome:
    """One run, as it was seen from all sides. `wrong` is empty when all was right."""

    lane: Lane
    requests: int = 0
    refused: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    cpu: float = 0.0
    booked: str = ""


def contents(port: int, lanes: dict[str, tuple[Tool, str]]) -> str:
    providers, models, granted = [], [], []
    for name, (tool, target_name) in lanes.items():
        target = TARGETS[target_name]
        url = f"http://127.0.0.1:{port}/{name}{target.base}"
        provider = {"name": name, "dialect": target.dialect, "base_url": url, "vendor": target.vendor}
        providers.append({**provider, "api_key": "sk-bench", "allow_private_network": True})
        price = {"input": "1", "output": "5", "cached_input": "0.1", "cache_write_5m": "1.25"}
        model = tool.model(target_name)
        models.append({"name": model, "deployments": [{"provider": name, "model": target.model}], "price": price})
        granted.append(f"model:{model}")
    grants = [{"to": "team:acme", "use": granted}]
    return HEAD + "\n".join(
        f"{key}: {json.dumps(value)}" for key, value in (("providers", providers), ("models", models), ("grants", grants))
    )


def attempt(house: House, lane: Lane, tool: Tool, target: str, program: str, place: Path) -> Outcome:
    outcome = Outcome(lane)
    with Tap(house.port) as tap:
        command, env = tool.command(program, tap.url, tool.model(target), place / "home", target == tool.own)
        before = cpu.seconds(house.gateway.pid)
        status, printed = run(command, env, home=place / "home", directory=lane.task.directory)
        spent = cpu.seconds(house.gateway.pid) - before
    outcome.requests, outcome.refused, outcome.dropped = tap.requests, tap.refused, sorted(tap.dropped)
    outcome.other = sorted(tap.other)
    outcome.cpu = spent / tap.requests if tap.requests else 0.0
    outcome.wrong += [f"it ended with {status}: {printed[-1500:]}"] if status else []
    outcome.wrong += [] if lane.last_words in printed else [f"it does not say {lane.last_words}: {printed[-1500:]}"]
    outcome.wrong += [*lane.found, *lane.task.undone(lane.steps)]
    outcome.wrong += [] if lane.done == lane.steps else [f"{lane.done} of {lane.steps} steps"]
    return outcome


def booked(house: House, model: str) -> tuple[int, Used, list[str]]:
    """Entries of a model in the ledger, the sum of what they count, and outcomes that are not ok."""
    rows = [row for row in house.ledger("model, outcome, estimated, usage") if row[0] == model]
    total = Used()
    for *_, usage in rows:
        meters = json.loads(str(usage))
        written = meters.get("cache_write_5m", 0) + meters.get("cache_write_1h", 0)
        total += Used(meters.get("input", 0), meters.get("cached_read", 0), written, meters.get("output", 0), meters.get("reasoning", 0))
    return len(rows), total, [f"{outcome}, estimated {estimated}" for _, outcome, estimated, _ in rows if outcome != "ok" or estimated]


def settle(house: House, outcome: Outcome, model: str) -> None:
    expected = outcome.lane.answers
    try:
        eventually(lambda: booked(house, model)[0] >= expected, what="every answer is in the ledger", within=30)
    except TimeoutError as late:
        outcome.wrong.append(str(late))
    entries, total, odd = booked(house, model)
    outcome.booked = f"{entries}/{expected}"
    outcome.wrong += [f"in the ledger: {one}" for one in odd]
    if total != outcome.lane.used or entries != expected:
        outcome.wrong.append(f"{entries} entries of {expected}: booked {total}, told {outcome.lane.used}")


def shown(name: str, outcome: Outcome) -> None:
    lane = outcome.lane
    exact = "exact" if not any("booked" in one for one in outcome.wrong) else "NOT EXACT"
    verdict = "ok" if not outcome.wrong and not outcome.refused else "WRONG"
    print(
        f"{name:24} {verdict:5} steps {lane.done}/{lane.steps}  requests {outcome.requests}  refused {len(outcome.refused)}  "
        f"errors {len(outcome.wrong)}  booked {outcome.booked} {exact}  {outcome.cpu * 1000:.1f} ms CPU a request",
        flush=True,
    )
    if outcome.dropped:
        print(f"    dropped: {', '.join(outcome.dropped)}")
    for line in (*outcome.refused[:3], *outcome.wrong[:6], *outcome.other):
        print(f"    {line[:1800]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.agents", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=30, help="tool steps of each run")
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    for tool in TOOLS:
        parser.add_argument(f"--{tool.name}", default=shutil.which(tool.program), help=f"the program (npm i -g {tool.package})")
    parser.add_argument("--tools", nargs="+", default=[tool.name for tool in TOOLS], choices=[tool.name for tool in TOOLS])
    options = parser.parse_args()
    programs = {tool.name: getattr(options, tool.name.replace("-", "_")) for tool in TOOLS}
    chosen = [tool for tool in TOOLS if tool.name in options.tools]
    if missing := [tool for tool in chosen if not programs[tool.name]]:
        parser.exit(2, "".join(f"{tool.name} is not here: npm i -g {tool.package}, or say --{tool.name} PATH\n" for tool in missing))
    sys.exit(0 if measured(chosen, options.targets, programs, options.steps) else 1)


def measured(tools: list[Tool], targets: list[str], programs: dict[str, str], steps: int) -> bool:
    lanes = {f"{tool.name}-{target}": (tool, target) for tool in tools for target in targets}
    port = free_port()
    good = True
    with (
        tempfile.TemporaryDirectory(prefix="agents-", dir=Path.home()) as place,
        Upstream(port) as upstream,
        House(server="granian", pinned=False, contents=contents(port, lanes)) as house,
    ):
        house.run("drain", [sys.executable, "manage.py", "drain_usage"])
        for name, (tool, target_name) in lanes.items():
            target, own = TARGETS[target_name], Path(place) / name
            task = Task(own / "work", tool.kinds)
            lane = upstream.lanes[name] = Lane(name, target, task, steps)
            outcome = attempt(house, lane, tool, target_name, programs[tool.name], own)
            settle(house, outcome, tool.model(target_name))
            shown(name, outcome)
            good = good and not outcome.wrong and not outcome.refused
    return good


if __name__ == "__main__":
    main()

"""`make bench-crash`: kill -9 at random moments under load. No call may be lost, none counted twice.

The upstream writes down the id of every request that reached it. After the last restart each of these ids must be in the
ledger exactly once. An id that is only in the ledger was written down and killed before it left: it must say so.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import time
from collections import Counter

from bench.__main__ import CHAT
from bench.house import KEY, ROOT, House
from bench.processes import eventually


def load(house: House, *, stream: bool, seconds: float) -> subprocess.Popen[bytes]:
    body = house.body("crash", {**CHAT, "stream": stream})
    command = [sys.executable, str(ROOT / "bench/load.py"), "--url", f"{house.url}/v1/chat/completions", "--body", str(body)]
    command += ["--connections", "8", "--seconds", str(seconds), "--timeout", "2", "--header", f"Authorization: Bearer {KEY}"]
    if stream:
        command.append("--stream")
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def crash_once(house: House, *, stream: bool, after: float) -> None:
    running = load(house, stream=stream, seconds=after + 0.5)
    time.sleep(after)
    house.gateway.kill()
    running.wait(30)
    house.start_gateway()


def prove(points: int, seed: int) -> bool:
    chance = random.Random(seed)  # noqa: S311 - moments to crash at, repeatable by the seed
    with House(server="granian", events=20, gap=0.005, pinned=False) as house:
        house.run("drain", [sys.executable, str(ROOT / "manage.py"), "drain_usage"])
        for number in range(points):
            crash_once(house, stream=number % 2 == 1, after=chance.uniform(0.3, 1.2))
            print(f"\rkilled {number + 1} of {points}", end="", flush=True)
        reached = Counter(house.ids.read_text().split())
        ledger: Counter[str] = Counter()

        def complete() -> bool:
            ledger.clear()
            ledger.update(str(row[0]) for row in house.ledger("request_id"))
            return not set(reached) - set(ledger)

        with contextlib.suppress(TimeoutError):  # then the figures below say what is missing
            eventually(complete, what="every call that reached the upstream is in the ledger", within=60)
        outcomes = dict(house.ledger("request_id, outcome"))
        lost = set(reached) - set(ledger)
        double = [ident for ident, count in ledger.items() if count > 1]
        unsent = set(ledger) - set(reached)
        wrong = [ident for ident in unsent if outcomes[ident] not in ("unknown", "error", "aborted")]
        estimated = sum(1 for outcome in outcomes.values() if outcome == "unknown")
    print(f"\nreached the upstream {len(reached)}, in the ledger {len(ledger)}, settled as estimates {estimated}")
    print(f"lost {len(lost)}, counted twice {len(double)}, in the ledger but never sent {len(unsent)} (of these not said so: {len(wrong)})")
    return not (lost or double or wrong)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.crash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    sys.exit(0 if prove(options.points, options.seed) else 1)


if __name__ == "__main__":
    main()

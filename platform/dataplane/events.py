"""What a call leaves behind: the intent, written before it goes out, and the usage event, written when it is settled.

Both are lines of the journal and one of each exists per leg (a retry or a fallback is a leg of its own). Money is a
decimal string in USD; `reserve` and `held` are in 1e-9 USD. `at` is Unix time in seconds. Usage counts are disjoint
but for `reasoning`, which is the part of `output`: input, cached_read, cache_write_5m, cache_write_1h, output,
reasoning, audio_input, audio_output, images, requests, seconds.

On disk and on the wire each is one JSON object whose first field, `line`, says which of the three it is.
"""

from __future__ import annotations

import msgspec


class Intent(msgspec.Struct, omit_defaults=True, gc=False, tag_field="line", tag="intent"):
    """A leg that is about to leave. `accounts` are the leases that `reserve` was taken from."""

    id: str
    request_id: str
    at: float
    plane: str
    principal: str
    principal_name: str
    key: int
    key_name: str
    team: int | None = None
    team_name: str = ""
    model: str = ""
    provider: str = ""
    deployment: str = ""
    server: str = ""
    tool: str = ""
    agent: str = ""
    price: str = ""
    reserve: int = 0
    accounts: tuple[str, ...] = ()
    estimate: dict[str, int] = {}


class UsageEvent(msgspec.Struct, omit_defaults=True, gc=False, tag_field="line", tag="settle"):
    """A settled leg, as the ledger takes it. `cost` None means that no price is known; then `price` is None too.

    `outcome` is ok, error (the upstream said no), aborted (the caller left or was cut), unknown (the worker died). `saved` is
    what a call would have cost that was given an answer of before: USD, None for any other call or where nobody knows. It is
    beside `cost` and never taken from it."""

    id: str
    request_id: str
    at: float
    plane: str
    principal: str
    principal_name: str
    key: int
    key_name: str
    outcome: str
    status: int = 0
    team: int | None = None
    team_name: str = ""
    model: str = ""
    provider: str = ""
    deployment: str = ""
    server: str = ""
    tool: str = ""
    agent: str = ""
    usage: dict[str, int] = {}
    cost: str | None = None
    currency: str = "USD"
    price: str | None = None
    estimated: bool = False
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    saved: str | None = None


class Lease(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False, tag_field="line", tag="lease"):
    """What a worker holds of an account at this point of its journal, amounts reserved by open calls included. `spent` is
    what it had spent of it before, as far as the authority still counts that as held."""

    account: str
    held: int = 0
    spent: int = 0

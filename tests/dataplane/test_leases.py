"""Slices: what is taken, spent, reported and given back always adds up to the limit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dataplane.admission import Admission
from dataplane.authority import Grant, LocalAuthority, Seed
from dataplane.errors import BudgetExceeded, RateLimited
from dataplane.expectation import Expectation
from dataplane.limits import Limits
from tests.dataplane.budgeted import Clock, budget, house, key

ACCOUNT = "budget:1:2026-11"
SLOTS = "conc:key:1"
CALLER = key(concurrency=6)


@dataclass
class Open:
    worker: Limits
    admission: Admission
    reserve: int


class Workers(RuleBasedStateMachine):
    """Three workers on one authority, which share a team's budget and the slots of one key."""

    HONEST = True

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.authority = LocalAuthority()
        self.limit = 1000
        self.workers = [Limits(self.authority, clock=Clock(), max_wait=0, fairness_wait=0) for _ in range(3)]
        self.configure(1000)
        self.open: list[Open] = []
        self.spent = 0
        self.overrun = 0

    def configure(self, limit: int) -> None:
        self.limit = limit
        for worker in self.workers:
            worker.configure(house(budget(limit)))

    @rule(worker=st.integers(0, 2), reserve=st.integers(0, 400), model=st.sampled_from("ab"))
    def admit(self, worker: int, reserve: int, model: str) -> None:
        limits = self.workers[worker]
        before = {lease.account: lease.reserved for lease in limits.pool.known()}
        admission = limits.try_admit(CALLER, reserve=reserve, tokens=1, model=model)
        if admission is None:
            for lease in limits.pool.known():
                assert lease.reserved == before.get(lease.account, 0), "a refused call keeps nothing"
            with pytest.raises((BudgetExceeded, RateLimited)):
                self.runner.run(limits.admit(CALLER, reserve=reserve, tokens=1, model=model))
        else:
            assert admission.reserved <= reserve
            self.open.append(Open(limits, admission, admission.reserved))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), part=st.floats(0, 1))
    def settle(self, data: st.DataObject, part: float) -> None:
        call = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        cost = int(call.reserve * part) if self.HONEST else int(call.reserve * part * 3)
        call.admission.settle(cost, 1)
        self.spent += cost
        self.overrun += max(0, cost - call.reserve)

    @rule(worker=st.integers(0, 2), rounds=st.integers(1, 6))
    def time_passes(self, worker: int, rounds: int) -> None:
        self.tick(self.workers[worker], rounds)

    def tick(self, worker: Limits, rounds: int) -> None:
        async def ticks() -> None:
            for _ in range(rounds):
                await worker.pool.tick()

        self.runner.run(ticks())

    @invariant()
    def never_more_than_the_limit_is_spent_promised_or_held(self) -> None:
        held = sum(worker.held().get(ACCOUNT, 0) for worker in self.workers)
        assert self.spent + held <= self.limit + self.overrun
        assert sum(worker.held().get(SLOTS, 0) for worker in self.workers) <= 6
        assert len(self.open) <= 6

    @invariant()
    def the_authority_and_the_workers_agree(self) -> None:
        for account, limit in ((ACCOUNT, self.limit), (SLOTS, 6)):
            leases = [lease for worker in self.workers for lease in worker.pool.known() if lease.account == account]
            standing = self.authority.peek_now(account, limit=limit)
            assert standing.outstanding == sum(lease.taken for lease in leases)
            for lease in leases:
                assert lease.taken == lease.available + lease.reserved + lease.unreported
                assert lease.reserved >= 0

    @invariant()
    def what_was_spent_is_settled_or_about_to_be(self) -> None:
        leases = [lease for worker in self.workers for lease in worker.pool.known() if lease.account == ACCOUNT]
        standing = self.authority.peek_now(ACCOUNT, limit=self.limit)
        settled = self.limit - standing.free - standing.outstanding
        assert settled + sum(lease.unreported for lease in leases) == self.spent

    def teardown(self) -> None:
        """When all is settled and idle, what is left is the limit minus what was spent, and all of it can be had."""
        for call in self.open:
            call.admission.settle(0, 1)
        for worker in self.workers:
            self.tick(worker, 6)
        standing = self.authority.peek_now(ACCOUNT, limit=self.limit)
        assert (standing.free, standing.outstanding) == (self.limit - self.spent, 0)
        assert self.authority.peek_now(SLOTS, limit=6).free == 6
        if standing.free > 0:
            admission = self.workers[0].try_admit(CALLER, reserve=standing.free, tokens=1, model="a")
            assert admission is not None
            assert admission.reserved == standing.free
        self.runner.close()


class CarelessWorkers(Workers):
    """As above, but calls may cost three times what was reserved, and the limit may change."""

    HONEST = False

    @rule(limit=st.integers(0, 2000))
    def the_limit_changes(self, limit: int) -> None:
        raised = max(0, self.limit - limit)
        self.overrun += raised
        self.configure(limit)


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestCarelessWorkers = CarelessWorkers.TestCase
TestCarelessWorkers.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def one(limit: int = 1000, **limits: int) -> Limits:
    found = Limits(LocalAuthority(), clock=Clock(), max_wait=0)
    found.configure(house(budget(limit)))
    return found


def ticks(limits: Limits, rounds: int) -> None:
    async def some() -> None:
        for _ in range(rounds):
            await limits.pool.tick()

    asyncio.run(some())


def test_a_slice_is_an_eighth_of_what_is_free_and_shrinks_to_the_exact_need() -> None:
    limits = one(800)
    sizes = []
    for _ in range(80):
        before = limits.pool.local.peek_now(ACCOUNT, limit=800).outstanding
        limits.try_admit(key(), reserve=10, tokens=1, model="m")
        sizes.append(limits.pool.local.peek_now(ACCOUNT, limit=800).outstanding - before)
    taken = [size for size in sizes if size]
    assert taken[0] == 100
    assert taken[-1] <= 10
    assert sum(sizes) == 800
    assert limits.try_admit(key(), reserve=1, tokens=1, model="m") is None


def test_an_idle_slice_goes_back_after_a_tenth_of_a_second_and_a_used_one_stays() -> None:
    limits = one()
    limits.try_admit(key(), reserve=10, tokens=1, model="m").settle(10, 1)
    ticks(limits, 4)
    assert limits.held()[ACCOUNT] == 115
    limits.try_admit(key(), reserve=10, tokens=1, model="m").settle(10, 1)
    ticks(limits, 4)
    assert limits.held()[ACCOUNT] == 105
    ticks(limits, 1)
    assert limits.held() == {}
    assert limits.pool.local.peek_now(ACCOUNT, limit=1000) == (0, 980, 0, False, "")


def test_what_an_open_call_has_reserved_is_not_idle() -> None:
    limits = one()
    admission = limits.try_admit(key(), reserve=10, tokens=1, model="m")
    ticks(limits, 10)
    assert limits.held() == {ACCOUNT: 10}
    admission.settle(4, 1)
    ticks(limits, 10)
    assert limits.pool.local.peek_now(ACCOUNT, limit=1000).free == 996


def test_what_is_left_over_of_a_scarce_account_goes_back_when_the_call_is_settled() -> None:
    limits = one(10)
    limits.try_admit(key(), reserve=10, tokens=1, model="m").settle(4, 1)
    assert limits.held() == {}
    assert limits.pool.local.peek_now(ACCOUNT, limit=10).free == 6


def test_the_journal_is_told_what_is_held_whenever_that_changes_at_the_authority() -> None:
    told: list[tuple[str, int]] = []
    limits = Limits(LocalAuthority(), clock=Clock(), on_lease=lambda account, held: told.append((account, held)))
    limits.configure(house(budget(1000)))
    epoch = limits.pool.authority.epoch
    limits.try_admit(key(rpm=100), reserve=10, tokens=1, model="m").settle(4, 1)
    assert told == [(f"{ACCOUNT}@{epoch}", 125)]
    ticks(limits, 6)
    assert told[1:] == [(f"{ACCOUNT}@{epoch}", 0)]


def test_after_a_new_epoch_a_worker_declares_what_it_holds_and_what_the_ledger_can_not_know_yet() -> None:
    limits = one()
    caller = key(concurrency=4)
    limits.try_admit(caller, reserve=100, tokens=1, model="m").settle(70, 1)
    open_call = limits.try_admit(caller, reserve=100, tokens=1, model="m")
    held = limits.held()
    asyncio.run(limits.pool.authority.reseed([]))
    standing = limits.pool.local.peek_now(ACCOUNT, limit=1000)
    assert standing.outstanding == held[ACCOUNT]
    assert standing.free == 1000 - 70 - held[ACCOUNT]
    assert limits.pool.local.peek_now(SLOTS, limit=4).outstanding == held[SLOTS]
    open_call.settle(100, 1)
    ticks(limits, 6)
    assert limits.pool.local.peek_now(ACCOUNT, limit=1000).free == 830


def test_what_was_granted_in_an_epoch_that_is_over_is_not_spent() -> None:
    limits = one()
    limits.try_admit(key(), reserve=10, tokens=1, model="m").settle(0, 1)
    (lease,) = limits.pool.known()
    held = limits.held()
    assert not lease.accept(Grant(500, 500, 500, False, "an earlier one"), 10)
    assert limits.held() == held


def test_costs_that_the_ledger_has_had_time_to_hear_of_are_not_declared_again() -> None:
    limits = one()
    limits.try_admit(key(), reserve=100, tokens=1, model="m").settle(70, 1)
    ticks(limits, 240)
    limits.try_admit(key(), reserve=100, tokens=1, model="m").settle(20, 1)
    asyncio.run(limits.pool.authority.reseed([Seed(ACCOUNT, 70)]))
    ticks(limits, 6)
    assert limits.pool.local.peek_now(ACCOUNT, limit=1000) == (0, 1000 - 70 - 20, 0, False, "")


def test_an_expectation_is_the_dearest_of_the_last_64_that_cost_anything() -> None:
    expectation = Expectation()
    assert expectation.get("m") is None
    expectation.record("m", 0)
    assert expectation.get("m") is None
    expectation.record("m", 90)
    for cost in range(63):
        expectation.record("m", cost)
    assert expectation.get("m") == 90
    expectation.record("m", 5)
    expectation.record("m", 5)
    assert expectation.get("m") == 62
    assert expectation.take_fresh() == {"m": 90}
    assert expectation.take_fresh() == {}
    expectation.adopt("m", 1000)
    assert expectation.get("m") == 62
    expectation.adopt("n", 1000)
    assert expectation.get("n") == 1000


def test_an_authority_forgets_accounts_whose_time_is_over() -> None:
    clock = Clock(0)
    authority = LocalAuthority(clock=clock)
    for number in range(LocalAuthority.PURGE_FROM):
        authority.take_now(f"rpm:key:{number}", need=1, want=1, limit=1, ttl=60)
    clock.now = 61
    authority.take_now("rpm:key:new", need=1, want=1, limit=1, ttl=60)
    assert authority.peek_now("rpm:key:0", limit=1).free == 1
    assert authority.peek_now("rpm:key:new", limit=1).free == 0


async def test_others_than_holders_settle_and_give_back_by_reference() -> None:
    authority = LocalAuthority()
    authority.take_now(ACCOUNT, need=100, want=100, limit=100)
    await authority.settle(f"{ACCOUNT}@{authority.epoch}", 30)
    await authority.give_back(f"{ACCOUNT}@{authority.epoch}", 50)
    await authority.give_back(f"{ACCOUNT}@another", 20)
    await authority.settle(f"{ACCOUNT}@another", 20)
    assert authority.peek_now(ACCOUNT, limit=100) == (0, 50, 20, False, "")
    await authority.settle(ACCOUNT, 20)
    assert authority.peek_now(ACCOUNT, limit=100) == (0, 50, 0, False, "")

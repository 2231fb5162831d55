"""The memory of whose task is whose."""

from __future__ import annotations

from agentgateway.proxy.ownership import Ownership


def test_the_first_to_be_told_of_a_task_keeps_it() -> None:
    ownership = Ownership()
    ownership.claim_task("planner", "t", "user:1")
    ownership.claim_task("planner", "t", "user:2")

    assert ownership.is_foreign_task("planner", "t", "user:2")
    assert not ownership.is_foreign_task("planner", "t", "user:1")
    assert ownership.is_own("planner", task="t", context="", caller="user:1")


def test_a_task_is_one_agent_s() -> None:
    ownership = Ownership()
    ownership.claim_task("planner", "t", "user:1")

    assert not ownership.is_foreign_task("other", "t", "user:2")
    assert not ownership.is_own("other", task="t", context="", caller="user:1")


def test_a_task_nobody_was_seen_with_is_foreign_to_nobody_and_nobody_s_own() -> None:
    ownership = Ownership()

    assert not ownership.is_foreign_task("planner", "t", "user:1")
    assert not ownership.is_own("planner", task="t", context="c", caller="user:1")


def test_a_task_in_a_caller_s_context_is_its_own_unless_another_was_told_of_it() -> None:
    ownership = Ownership()
    ownership.claim_context("planner", "c", "user:1")
    ownership.claim_task("planner", "t2", "user:2")

    assert ownership.is_own("planner", task="t1", context="c", caller="user:1")
    assert not ownership.is_own("planner", task="t2", context="c", caller="user:1")


def test_the_memory_is_bounded_and_forgets_what_was_longest_unused() -> None:
    ownership = Ownership(limit=3)
    for task in ("a", "b", "c"):
        ownership.claim_task("planner", task, "user:1")
    assert ownership.is_own("planner", task="a", context="", caller="user:1")

    ownership.claim_task("planner", "d", "user:1")

    assert ownership.is_own("planner", task="a", context="", caller="user:1")
    assert not ownership.is_own("planner", task="b", context="", caller="user:1")

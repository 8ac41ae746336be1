"""Scenarios run in two processes with different hash seeds."""

import pytest

from chaincode.shim import Context, Contract, query, transaction
from chaincode.shim.testing import ResultsDiffer, TestLedger, run_twice

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon")


class Words(Contract):
    name = "words"

    @transaction
    async def keep(self, ctx: Context, words: list[str]) -> None:
        await ctx.stub.put_state("words", ",".join(sorted(set(words))))

    @transaction
    async def keep_as_they_come(self, ctx: Context, words: list[str]) -> None:
        await ctx.stub.put_state("words", ",".join(set(words)))

    @query
    async def first(self, ctx: Context, words: list[str]) -> str:
        return next(iter(set(words)))


def ordered() -> TestLedger:
    ledger = TestLedger([Words()])
    ledger.client("A").submit("keep", list(WORDS))
    ledger.client("A").evaluate("org.hyperledger.fabric:GetMetadata")
    return ledger


def unordered() -> TestLedger:
    ledger = ordered()
    ledger.client("A").submit("keep_as_they_come", list(WORDS))
    return ledger


def another_answer() -> TestLedger:
    ledger = TestLedger([Words()])
    for number in range(20):
        ledger.client("A").evaluate("first", [f"{word}{number}" for word in WORDS])
    return ledger


def different_length() -> TestLedger:
    ledger = ordered()
    for word in set(WORDS):
        ledger.client("A").submit("keep", [word])
        if word == "alpha":
            break
    return ledger


def broken() -> TestLedger:
    raise ValueError("this scenario has a bug")


def without_ledger() -> None:
    return None


pytestmark = pytest.mark.slow  # two processes for each


def test_a_contract_that_sorts_is_the_same_everywhere():
    assert run_twice(ordered).calls == 2


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        (unordered, "call 3, keep_as_they_come: write 'words' differ"),
        (another_answer, "first: the event or the result differs"),
        (different_length, r"keep: write 'words' differ|calls in one process"),
    ],
)
def test_what_differs_is_named(scenario, told):
    with pytest.raises(ResultsDiffer, match=told):
        run_twice(scenario)


def test_a_scenario_that_fails_shows_why():
    with pytest.raises(RuntimeError, match="this scenario has a bug"):
        run_twice(broken)
    with pytest.raises(RuntimeError, match="must return its TestLedger"):
        run_twice(without_ledger)


def test_a_scenario_must_be_importable():
    with pytest.raises(ValueError, match="not a function at module level"):
        run_twice(lambda: TestLedger([Words()]))

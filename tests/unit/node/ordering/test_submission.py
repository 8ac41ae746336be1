"""Into the pools of a quorum: who must hold a transaction before its client is told."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.node.ordering import submission
from ledger.node.ordering.submission import TransactionSubmission
from ledger.rpc.status import GatewayError
from ledger.wire.validator_pb2 import AckEntry, Item, TransactionBatch, TransactionBatchResult
from tests.support.ledger_world import LedgerWorld
from tests.unit.node.fake_links import FakeLinks
from tests.unit.node.ordering.test_admission import Gate

pytestmark = pytest.mark.anyio
ACCEPTED = AckEntry(accepted=True)
FULL = AckEntry(reason="OVERLOADED", detail="pool is full")


class Scene:
    """One of four validators and its links; the test answers for the others."""

    def __init__(self, *up: int) -> None:
        self.gate = Gate(LedgerWorld())
        self.world = self.gate.world
        self.links = FakeLinks(*up)
        self.is_validator = True
        self.submission = TransactionSubmission(
            admission=self.gate.admission,
            pool=self.gate.pool,
            links=self.links,
            validators=lambda: 4,
            address=lambda i: (f"peer{i}:7051", f"Org{i}MSP"),
            is_validator=lambda: self.is_validator,
        )

    def batches(self) -> list[tuple[int, TransactionBatch]]:
        return [(to, item.transactions) for to, item in self.links.of("transactions")]

    async def submitting(self, raw: bytes) -> asyncio.Task[None]:
        """A submission that has reached everyone who is up."""
        before = len(self.batches())
        task = asyncio.create_task(self.submission.submit(raw))
        await self.links.until(lambda: len(self.batches()) >= before + len(self.links.up))
        return task

    def answer(self, sender: int, *entries: AckEntry) -> None:
        _, batch = next((to, b) for to, b in reversed(self.batches()) if to == sender)
        result = TransactionBatchResult(batch_id=batch.batch_id, entries=entries)
        self.submission.on_result(sender, result)


@pytest.fixture
def scene():
    made = Scene(2, 3, 4)
    yield made
    made.gate.executor.shutdown()


async def failure(task: asyncio.Task[None]) -> GatewayError:
    with pytest.raises(GatewayError) as failed:
        async with asyncio.timeout(60):
            await task
    return failed.value


async def test_a_quorum_is_enough(scene):
    task = await scene.submitting(scene.world.transaction())
    scene.answer(2, ACCEPTED)
    await asyncio.sleep(0)
    assert not task.done(), "two of four hold it"
    scene.answer(4, ACCEPTED)
    await task


async def test_who_refuses_it_here_is_told_at_once(scene):
    with pytest.raises(InvalidMessage) as refused:
        await scene.submission.submit(b"nonsense")
    assert refused.value.reason is Reason.MALFORMED
    assert scene.links.sent == []


async def test_too_many_refusals_name_who_refused(scene):
    task = await scene.submitting(scene.world.transaction())
    scene.answer(2, FULL)
    scene.answer(3, FULL)
    error = await failure(task)
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert [(d.address, d.mspid) for d in error.details] == [
        ("peer2:7051", "Org2MSP"),
        ("peer3:7051", "Org3MSP"),
    ]
    assert "OVERLOADED" in error.details[0].message


async def test_already_ordered_elsewhere_counts_as_held(scene):
    task = await scene.submitting(scene.world.transaction())
    scene.answer(2, AckEntry(reason="REPLAYED"))
    scene.answer(3, AckEntry(reason="REPLAYED"))
    await task


async def test_lost_links_count_as_refusals(scene):
    task = await scene.submitting(scene.world.transaction())
    scene.answer(2, ACCEPTED)
    scene.submission.on_disconnected(3)
    scene.submission.on_disconnected(4)
    assert "connection lost" in (await failure(task)).details[0].message


async def test_too_few_validators_up():
    scene = Scene(2)
    task = await scene.submitting(scene.world.transaction())
    error = await failure(task)
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert error.message.endswith("1 of the 3 needed hold it, 2 of 4 validators are in reach")
    scene.gate.executor.shutdown()


async def test_silence_ends_in_an_error(scene, monkeypatch):
    monkeypatch.setattr(submission, "QUORUM_WAIT_MS", 1)
    task = await scene.submitting(scene.world.transaction())
    assert (await failure(task)).code is grpc.StatusCode.UNAVAILABLE
    scene.answer(2, ACCEPTED)  # late answers harm nobody


async def test_unanswered_batches_are_forgotten(scene, monkeypatch):
    monkeypatch.setattr(submission, "QUORUM_WAIT_MS", 0)
    for _ in range(3):
        await failure(await scene.submitting(scene.world.transaction()))
    assert len(scene.submission._in_flight) <= 2 * len(scene.links.up)


async def test_a_client_that_leaves_harms_nobody(scene):
    task = await scene.submitting(scene.world.transaction())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for sender in (2, 3, 4):
        scene.answer(sender, ACCEPTED)
    assert scene.submission._in_flight == {}


@pytest.mark.parametrize("entries", [(), (ACCEPTED, ACCEPTED)])
async def test_answers_of_the_wrong_length_are_ignored(scene, entries):
    task = await scene.submitting(scene.world.transaction())
    scene.answer(2, *entries)
    scene.answer(3, ACCEPTED)
    scene.answer(4, ACCEPTED)
    await task


async def test_answers_nobody_waits_for_are_ignored(scene):
    result = TransactionBatchResult(batch_id=999, entries=[ACCEPTED])
    scene.submission.on_result(2, result)


async def test_what_is_submitted_together_travels_together(scene):
    raws = [scene.world.transaction() for _ in range(3)]
    tasks = [asyncio.create_task(scene.submission.submit(raw)) for raw in raws]
    await scene.links.until(lambda: len(scene.batches()) == 3)
    assert {tuple(batch.envelopes) for _, batch in scene.batches()} == {tuple(raws)}
    for sender in (2, 3):
        scene.answer(sender, *[ACCEPTED] * 3)
    await asyncio.gather(*tasks)


async def test_one_bad_transaction_does_not_spoil_its_batch(scene):
    good = asyncio.create_task(scene.submission.submit(scene.world.transaction()))
    bad = asyncio.create_task(scene.submission.submit(b"nonsense"))
    await scene.links.until(lambda: len(scene.batches()) == 3)
    for sender in (2, 3):
        scene.answer(sender, ACCEPTED)
    await good
    with pytest.raises(InvalidMessage):
        await bad


async def test_a_validator_that_connects_gets_what_waits(scene):
    raws = [scene.world.transaction() for _ in range(3)]
    await scene.gate.admission.admit(raws)
    scene.submission.send_pool_to(3)
    ((to, batch),) = scene.batches()
    assert (to, list(batch.envelopes)) == (3, raws)


async def test_large_pools_travel_in_several_batches(scene, monkeypatch):
    raws = [scene.world.transaction() for _ in range(5)]
    await scene.gate.admission.admit(raws)
    monkeypatch.setattr(submission, "BATCH_BYTES_MAX", 2 * len(raws[0]) + 100)
    scene.submission.send_pool_to(3)
    assert [list(batch.envelopes) for _, batch in scene.batches()] == [
        raws[:2],
        raws[2:4],
        raws[4:],
    ]


async def test_what_waits_too_long_is_sent_to_everyone_again(scene):
    raw = scene.world.transaction()
    await scene.gate.admission.admit([raw])
    scene.submission.send_oldest_again()
    assert [(to, list(batch.envelopes)) for to, batch in scene.batches()] == [
        (i, [raw]) for i in (2, 3, 4)
    ]


async def test_anothers_batch_is_answered_entry_by_entry(scene):
    raw = scene.world.transaction()
    replies: list[Item] = []
    await scene.submission.on_batch(
        TransactionBatch(batch_id=7, envelopes=[raw, b"nonsense", b""]),
        lambda item: replies.append(item) is None,
    )
    result = replies[0].transactions_result
    assert result.batch_id == 7
    assert [entry.accepted for entry in result.entries] == [True, False, False]
    assert result.entries[1].reason == "MALFORMED"
    assert len(scene.gate.pool) == 1


async def test_a_failure_of_our_own_reaches_every_caller(scene):
    scene.gate.executor.shutdown()
    scene.gate.executor = ThreadPoolExecutor(max_workers=1)  # the admission keeps the closed one
    tasks = [asyncio.create_task(scene.submission.submit(b"x")) for _ in range(2)]
    async with asyncio.timeout(60):
        failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, RuntimeError) for one in failures)


async def test_a_node_that_only_follows_orders_nothing_and_says_so(scene):
    raw = scene.world.transaction()
    waiting = await scene.submitting(raw)
    scene.is_validator = False
    with pytest.raises(GatewayError, match="without being a validator") as refused:
        await scene.submission.submit(scene.world.transaction())
    assert refused.value.code is grpc.StatusCode.UNAVAILABLE
    before = len(scene.batches())
    scene.submission.send_oldest_again()
    assert len(scene.batches()) == before, "validators take nothing from it"
    waiting.cancel()

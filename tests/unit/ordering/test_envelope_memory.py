"""Envelopes are decoded once, within bounds, from several threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import TransactionInvalid
from ledger.ordering.envelopes import EnvelopeMemory
from tests.support.ledger_world import LedgerWorld


@pytest.fixture(scope="module")
def raws() -> list[bytes]:
    world = LedgerWorld()
    return [world.transaction() for _ in range(8)]


def test_the_same_bytes_give_the_same_object_until_forgotten(raws: list[bytes]) -> None:
    memory = EnvelopeMemory()
    first = memory.decode(raws[0])
    assert memory.decode(bytes(raws[0])) is first
    memory.forget(raws[0])
    memory.forget(raws[0])
    assert memory.decode(raws[0]) is not first


def test_what_is_no_envelope_is_not_remembered() -> None:
    memory = EnvelopeMemory()
    assert isinstance(memory.decode(b"\x0a\xff"), TransactionInvalid)
    assert len(memory) == 0


def test_the_oldest_are_forgotten_first(raws: list[bytes]) -> None:
    memory = EnvelopeMemory(envelopes_max=4)
    known = [memory.decode(raw) for raw in raws]
    assert len(memory) <= 4
    assert memory.decode(raws[-1]) is known[-1]
    assert memory.decode(raws[0]) is not known[0]


def test_bytes_are_bounded(raws: list[bytes]) -> None:
    memory = EnvelopeMemory(bytes_max=3 * len(raws[0]))
    for raw in raws:
        memory.decode(raw)
    assert 1 <= len(memory) <= 3


def test_threads_share_it(raws: list[bytes]) -> None:
    """Admission, consensus and commit use one memory; small bounds make evictions meet."""
    memory = EnvelopeMemory(envelopes_max=2)

    def use(turn: int) -> str:
        raw = raws[turn % len(raws)]
        decoded = memory.decode(raw)
        memory.forget(raws[(turn + 1) % len(raws)])
        assert not isinstance(decoded, TransactionInvalid)
        return decoded.tx_id

    with ThreadPoolExecutor(max_workers=4) as threads:
        found = set(threads.map(use, range(2_000)))
    assert len(found) == len(raws)
    assert len(memory) <= 2

"""Blocks are checked whoever delivers them; a peer that fails, lies or withholds is left."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from gateway.errors import LedgerRefusal
from gateway.ledger_access.ledger_link import LedgerLink
from gateway.ledger_access.sealed_chain import SealedChain, genesis_hash_of
from ledger.audit.chain import ChainBroken
from ledger.model.block import SLOT_SIGNATURES, Block
from ledger.model.codec_block import decode_block, encode_block
from tests.support.config_world import ConfigWorld
from tests.support.ledger_world import market, put
from tests.unit.audit.ledgers import definition_for, records_of

SOON_S = 60


def a_chain() -> list[bytes]:
    """Blocks of a ledger whose validators change at block 3."""
    world = ConfigWorld()
    world.follow(definition_for(world))
    world.follow(world.transaction(market(writes=[put("a", b"1")])))
    world.reconfigure(world.with_consenters(*world.config.consenters, world.candidate(5)))
    for number in range(3):
        entry = world.transaction(market(writes=[put("b", b"%d" % number)]))
        world.follow(entry, signers=(2, 3, 4, 5))
    records = records_of(world)
    return [records[b"B" + number.to_bytes(8, "big")] for number in range(7)]


@pytest.fixture(scope="module")
def chain() -> list[bytes]:
    return a_chain()


class PeerDouble:
    """Delivers the blocks it has, then waits for ever, or fails with its refusal."""

    def __init__(self, mspid: str, raw_blocks: list[bytes], refusal: str = "") -> None:
        self.mspid = mspid
        self.raw_blocks = list(raw_blocks)
        self.refusal = refusal
        self.asked = 0
        self.asked_often = asyncio.Event()

    async def _answer(self) -> None:
        self.asked += 1
        if self.asked == 3:
            self.asked_often.set()
        if self.refusal:
            raise LedgerRefusal(self.refusal, f"{self.mspid} says no")

    async def endorse(self, tx_id, proposal, signature) -> bytes:
        await self._answer()
        return self.mspid.encode()

    async def submit(self, tx_id, payload, signature) -> None:
        await self._answer()

    async def evaluate(self, tx_id, proposal, signature) -> bytes:
        await self._answer()
        return self.mspid.encode()

    async def height(self) -> int:
        await self._answer()
        return len(self.raw_blocks)

    async def blocks(self, first_number):
        await self._answer()
        for raw in self.raw_blocks[first_number:]:
            yield decode_block(raw)
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


def a_link(*peers: PeerDouble, stored=lambda _number: None, **options) -> LedgerLink:
    return LedgerLink(peers, channel_id="energy", stored=stored, stall_check_ms=10, **options)


def followed(link: LedgerLink, count: int, first: int = 0) -> list[int]:
    """Numbers of the next blocks; `LedgerRefusal` when there are fewer."""

    async def run() -> list[int]:
        numbers: list[int] = []
        async with asyncio.timeout(SOON_S), aclosing(link.blocks(first)) as blocks:
            async for block in blocks:
                numbers.append(block.number)
                if len(numbers) == count:
                    break
        return numbers

    return asyncio.run(run())


def without_a_seal(raw: bytes) -> bytes:
    """One signature less than a quorum."""
    block = decode_block(raw)
    slots = list(block.metadata)
    slots[SLOT_SIGNATURES] = slots[SLOT_SIGNATURES][: len(slots[SLOT_SIGNATURES]) // 2]
    return encode_block(replace(block, metadata=tuple(slots)))


def with_another_entry(raw: bytes) -> bytes:
    block: Block = decode_block(raw)
    return encode_block(replace(block, entries=(*block.entries, b"forged")))


def test_a_chain_is_followed_through_a_change_of_validators(chain):
    assert followed(a_link(PeerDouble("A", chain)), 7) == list(range(7))


def test_following_resumes_from_stored_blocks(chain):
    for first in range(1, 7):
        link = a_link(PeerDouble("A", chain), stored=lambda number: chain[number])
        assert followed(link, 7 - first, first) == list(range(first, 7))


@pytest.mark.parametrize("first", [0, 4])
def test_a_forged_block_is_not_followed_and_its_peer_is_left(chain, caplog, first):
    for forged in (with_another_entry(chain[5]), chain[4], without_a_seal(chain[5])):
        liar = PeerDouble("Liar", [*chain[:5], forged, chain[6]])
        link = a_link(liar, PeerDouble("Honest", chain), stored=lambda number: chain[number])
        assert followed(link, 7 - first, first) == list(range(first, 7))
        assert "Liar delivers what no quorum sealed: block 5" in caplog.text
        caplog.clear()


def test_another_genesis_block_than_the_one_agreed_on_is_refused(chain):
    good = genesis_hash_of(chain[0])
    assert followed(a_link(PeerDouble("A", chain), genesis_hash=good), 1) == [0]
    with pytest.raises(LedgerRefusal, match="not the genesis block agreed on"):
        followed(a_link(PeerDouble("A", chain), genesis_hash=bytes(32)), 1)


def test_a_peer_that_lied_is_not_asked_again_for_a_while(chain):
    liar = PeerDouble("Liar", [*chain[:2], with_another_entry(chain[2])])
    honest = PeerDouble("Honest", chain)
    link = a_link(liar, honest, stored=lambda number: chain[number])

    async def run() -> list[bytes]:
        async with aclosing(link.blocks(0)) as blocks:
            async for block in blocks:
                if block.number == 6:
                    break
        return [await link.evaluate("t", b"", b"") for _ in range(4)]

    assert asyncio.run(run()) == [b"Honest"] * 4
    assert liar.asked == 1


def test_when_everybody_lies_nothing_is_believed(chain):
    liars = [PeerDouble(name, [with_another_entry(chain[0])]) for name in "AB"]
    with pytest.raises(LedgerRefusal, match=r"A: block 0 .*B: block 0"):
        followed(a_link(*liars), 1)


def test_a_peer_that_is_gone_is_replaced_in_the_middle_of_the_stream(chain):
    class Leaving(PeerDouble):
        async def blocks(self, first_number):
            async for block in super().blocks(first_number):
                if block.number == 3:
                    raise LedgerRefusal("UNAVAILABLE", "connection lost")
                yield block

    link = a_link(Leaving("A", chain), PeerDouble("B", chain), stored=lambda n: chain[n])
    assert followed(link, 7) == list(range(7))


def test_a_peer_that_withholds_blocks_is_left_when_another_has_them(chain):
    link = a_link(PeerDouble("Silent", chain[:3]), PeerDouble("B", chain))
    assert followed(link, 7) == list(range(7))


def test_silence_is_borne_when_nobody_has_a_block(chain):
    first, second = PeerDouble("A", chain[:3]), PeerDouble("B", chain[:3])
    link = a_link(first, second)

    async def run() -> list[int]:
        async with asyncio.timeout(SOON_S), aclosing(link.blocks(0)) as blocks:
            numbers = [(await anext(blocks)).number for _ in range(3)]
            waiting = asyncio.ensure_future(anext(blocks))
            await second.asked_often.wait()
            assert not waiting.done()
            waiting.cancel()
            await asyncio.wait((waiting,))
        return numbers

    assert asyncio.run(run()) == [0, 1, 2]


def test_calls_go_to_another_peer_when_one_cannot_be_reached():
    away, here = PeerDouble("A", [], "UNAVAILABLE"), PeerDouble("B", [])
    link = a_link(away, here)

    async def run() -> None:
        assert await link.endorse("t", b"", b"") == b"B"
        await link.submit("t", b"", b"")
        assert await link.evaluate("t", b"", b"") == b"B"

    asyncio.run(run())
    assert (away.asked, here.asked) == (1, 3)


@pytest.mark.parametrize("status", ["ABORTED", "PERMISSION_DENIED", "DEADLINE_EXCEEDED"])
def test_an_answer_is_an_answer_and_not_asked_for_again(status):
    first, second = PeerDouble("A", [], status), PeerDouble("B", [])
    with pytest.raises(LedgerRefusal, match="A says no"):
        asyncio.run(a_link(first, second).submit("t", b"", b""))
    assert second.asked == 0


def test_when_no_peer_can_be_reached_the_last_refusal_is_told():
    peers = [PeerDouble(name, [], "UNAVAILABLE") for name in "ABC"]
    with pytest.raises(LedgerRefusal, match="C says no"):
        asyncio.run(a_link(*peers).submit("t", b"", b""))
    assert [peer.asked for peer in peers] == [1, 1, 1]


def test_a_damaged_store_is_not_built_upon(chain):
    with pytest.raises(ChainBroken, match="is not stored"):
        SealedChain.behind(3, lambda _number: None)
    with pytest.raises(ChainBroken, match="cannot be read"):
        SealedChain.behind(3, lambda _number: b"\xff")


def test_a_file_that_is_no_block_has_no_hash():
    with pytest.raises(ValueError, match="no block"):
        genesis_hash_of(b"\xff\xff")

"""The gateway's way to the ledger: one peer at a time, another one when it fails or lies.

Calls and blocks go through the first peer of the settings for as long as it answers. A peer that
delivers a block which does not hold (`sealed_chain`) is not asked for a while.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.errors import LedgerRefusal
from gateway.ledger_access.peer_line import Line, PeerLine
from gateway.ledger_access.sealed_chain import SealedChain, StoredBlocks, genesis_hash_of
from gateway.settings import GatewaySettings
from ledger.audit.chain import ChainBroken
from ledger.model.block import Block
from ledger.model.codec_block import encode_block

STALL_CHECK_MS = 5_000
"""Without a block for so long, another peer is asked whether there is one."""
DISTRUST_MS = 10 * 60_000
"""How long a peer is not asked after it delivered what no quorum sealed."""
UNREACHABLE = "UNAVAILABLE"

T = TypeVar("T")
logger = logging.getLogger(__name__)


class LedgerLink:
    """See `gateway.ports.Ledger`. `stored` gives blocks that were checked before."""

    def __init__(
        self,
        lines: Sequence[Line],
        *,
        channel_id: str,
        stored: StoredBlocks,
        genesis_hash: bytes | None = None,
        stall_check_ms: int = STALL_CHECK_MS,
    ) -> None:
        if not lines:
            raise ValueError("a ledger needs at least one peer")
        self.channel_id = channel_id
        self._lines = tuple(lines)
        self._current = 0
        self._distrusted_until_s = dict.fromkeys(range(len(self._lines)), 0.0)
        self._stored = stored
        self._genesis_hash = genesis_hash
        self._stall_check_ms = stall_check_ms

    async def close(self) -> None:
        """End all connections."""
        for line in self._lines:
            await line.close()

    async def endorse(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """See `gateway.ports.Ledger`."""
        return await self._ask(lambda line: line.endorse(tx_id, proposal, signature))

    async def submit(self, tx_id: str, payload: bytes, signature: bytes) -> None:
        """See `gateway.ports.Ledger`.

        May reach the ledger through two peers when the first one fails on the way: a transaction
        id is recorded as valid once, so the second copy changes nothing.
        """
        await self._ask(lambda line: line.submit(tx_id, payload, signature))

    async def evaluate(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """See `gateway.ports.Ledger`."""
        return await self._ask(lambda line: line.evaluate(tx_id, proposal, signature))

    async def height(self) -> int:
        """See `gateway.ports.Ledger`."""
        return await self._ask(lambda line: line.height())

    async def blocks(self, first_number: int) -> AsyncIterator[Block]:
        """See `gateway.ports.Ledger`; only blocks that a quorum sealed.

        Ends in `LedgerRefusal` when no peer delivers any.
        """
        chain = await asyncio.to_thread(
            SealedChain.behind, first_number, self._stored, genesis_hash=self._genesis_hash
        )
        number, refusals = first_number, list[str]()
        while len(refusals) < len(self._lines):
            index = self._choose()
            line = self._lines[index]
            try:
                async for block in self._not_stalled(index, number):
                    chain.check(encode_block(block))
                    refusals.clear()
                    number += 1
                    yield block
                refusals.append(f"{line.mspid} ended its stream of blocks")
            except ChainBroken as broken:
                logger.error("%s delivers what no quorum sealed: %s", line.mspid, broken)  # noqa: TRY400
                self._distrust(index)
                refusals.append(f"{line.mspid}: {broken}")
            except LedgerRefusal as refusal:
                refusals.append(f"{line.mspid}: {refusal}")
            self._leave(index)
        raise LedgerRefusal(UNREACHABLE, "; ".join(refusals))

    async def _ask(self, call: Callable[[Line], Awaitable[T]]) -> T:
        """The answer of the current peer; of the others if it cannot be reached."""
        for left in reversed(range(len(self._lines))):
            index = self._choose()
            try:
                return await call(self._lines[index])
            except LedgerRefusal as refusal:
                if refusal.status != UNREACHABLE or not left:
                    raise
                logger.warning("%s: %s; asking another", self._lines[index].mspid, refusal)
                self._leave(index)
        raise AssertionError("the last peer's refusal is raised")

    def _choose(self) -> int:
        """The current peer, or the next one that is not distrusted."""
        now_s = asyncio.get_running_loop().time()
        for step in range(len(self._lines)):
            index = (self._current + step) % len(self._lines)
            if self._distrusted_until_s[index] <= now_s:
                return index
        raise LedgerRefusal(UNREACHABLE, "every peer delivered blocks that no quorum sealed")

    def _leave(self, index: int) -> None:
        """Go on to the next peer, unless somebody has already."""
        if self._current == index:
            self._current = (index + 1) % len(self._lines)

    def _distrust(self, index: int) -> None:
        now_s = asyncio.get_running_loop().time()
        self._distrusted_until_s[index] = now_s + DISTRUST_MS / 1000

    async def _not_stalled(self, index: int, number: int) -> AsyncIterator[Block]:
        """A peer's blocks; ends when it is silent while another one has the next block."""
        stream = self._lines[index].blocks(number)
        coming: asyncio.Future[Block] | None = None
        try:
            while True:
                coming = asyncio.ensure_future(anext(stream))
                while not (await asyncio.wait((coming,), timeout=self._stall_check_ms / 1000))[0]:
                    if await self._is_elsewhere(index, number):
                        raise LedgerRefusal(UNREACHABLE, f"withholds block {number}")
                try:
                    block = coming.result()
                except StopAsyncIteration:
                    return
                yield block
                number += 1
        finally:
            if coming is not None and not coming.done():
                coming.cancel()
                await asyncio.wait((coming,))

    async def _is_elsewhere(self, index: int, number: int) -> bool:
        """Whether another peer says that it has this block."""
        for other, line in enumerate(self._lines):
            if other != index:
                try:
                    async with asyncio.timeout(self._stall_check_ms / 1000):
                        if await line.height() > number:
                            return True
                except (LedgerRefusal, TimeoutError):
                    continue  # it is no better than the one we have
        return False


def link_from(settings: GatewaySettings, stored: StoredBlocks) -> LedgerLink:
    """The gateway's own way to its ledger."""
    ledger = settings.ledger
    identity, tls_ca_pem = settings.identity.load(), ledger.tls_ca.read_bytes()
    lines = [
        PeerLine(
            mspid=peer.mspid,
            address=peer.address,
            tls_ca_pem=tls_ca_pem,
            channel_id=ledger.channel_id,
            identity=identity,
        )
        for peer in ledger.peers
    ]
    genesis = ledger.genesis
    return LedgerLink(
        lines,
        channel_id=ledger.channel_id,
        stored=stored,
        genesis_hash=None if genesis is None else genesis_hash_of(genesis.read_bytes()),
    )

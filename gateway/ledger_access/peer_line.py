"""One peer over TLS, with the gateway's own reader identity."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from google.protobuf.message import DecodeError
from grpc import aio

from gateway.errors import LedgerRefusal
from ledger.client.blocks import follow_blocks, newest_block
from ledger.client.connection import client_channel
from ledger.client.gateway import GatewayClient
from ledger.client.proposals import UnsignedProposal
from ledger.client.refusals import peer_errors
from ledger.crypto.signing import SigningIdentity
from ledger.errors import InvalidMessage
from ledger.model.block import Block
from ledger.rpc.status import PeerError


class Line(Protocol):
    """One channel through one peer; calls raise `LedgerRefusal`."""

    mspid: str
    """Whose peer it is."""

    async def endorse(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """See `gateway.ports.Ledger`."""

    async def submit(self, tx_id: str, payload: bytes, signature: bytes) -> None:
        """See `gateway.ports.Ledger`."""

    async def evaluate(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """See `gateway.ports.Ledger`."""

    async def height(self) -> int:
        """Blocks this peer says it has."""

    def blocks(self, first_number: int) -> AsyncIterator[Block]:
        """Blocks as this peer delivers them, unchecked."""

    async def close(self) -> None:
        """End the connection."""


class PeerLine:
    """See `Line`."""

    def __init__(
        self,
        *,
        mspid: str,
        address: str,
        tls_ca_pem: bytes,
        channel_id: str,
        identity: SigningIdentity,
    ) -> None:
        self.mspid = mspid
        self._channel_id = channel_id
        self._channel = client_channel(address, tls_ca_pem)
        self._client = GatewayClient(self._channel, channel_id)
        self._identity = identity

    async def close(self) -> None:
        """See `Line`."""
        await self._client.close()

    async def endorse(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """See `Line`."""
        try:
            return await self._client.endorse(UnsignedProposal(tx_id, proposal), signature)
        except aio.AioRpcError as error:
            raise refusal_of(error) from error

    async def submit(self, tx_id: str, payload: bytes, signature: bytes) -> None:
        """See `Line`."""
        try:
            await self._client.submit(tx_id, payload, signature)
        except aio.AioRpcError as error:
            raise refusal_of(error) from error

    async def evaluate(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """See `Line`."""
        try:
            return await self._client.evaluate(UnsignedProposal(tx_id, proposal), signature)
        except aio.AioRpcError as error:
            raise refusal_of(error) from error

    async def height(self) -> int:
        """See `Line`."""
        try:
            newest = await newest_block(self._channel, self._identity, self._channel_id)
        except aio.AioRpcError as error:
            raise refusal_of(error) from error
        except InvalidMessage as error:
            raise LedgerRefusal("PERMISSION_DENIED", error.detail) from error
        return newest.number + 1

    async def blocks(self, first_number: int) -> AsyncIterator[Block]:
        """See `Line`; a lost connection ends in `LedgerRefusal`."""
        try:
            async for block in follow_blocks(
                self._channel, self._identity, self._channel_id, first_number
            ):
                yield block
        except aio.AioRpcError as error:
            raise refusal_of(error) from error
        except InvalidMessage as error:
            raise LedgerRefusal("PERMISSION_DENIED", error.detail) from error


def refusal_of(error: aio.AioRpcError) -> LedgerRefusal:
    """A gRPC error as the gateway knows it, with what each peer said."""
    details: list[PeerError] = []
    with suppress(DecodeError):  # details are a courtesy; the status stands without them
        details = peer_errors(error)
    said = tuple((one.address, one.mspid, one.message) for one in details)
    return LedgerRefusal(error.code().name, error.details() or "", said)

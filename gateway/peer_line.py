"""One peer over TLS, with the gateway's own reader identity."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from google.protobuf.message import DecodeError
from grpc import aio

from gateway.errors import LedgerRefusal
from ledger.crypto.signing import SigningIdentity
from ledger.errors import InvalidMessage
from ledger.model.block import Block
from ledger.rpc.client import GatewayClient, UnsignedProposal, error_details
from ledger.rpc.deliver_client import follow_blocks, newest_block
from ledger.rpc.transport import client_channel


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
    details: list[str] = []
    with suppress(DecodeError):  # details are a courtesy; the status stands without them
        details = error_details(error)
    return LedgerRefusal(
        error.code().name, error.details() or "", tuple(("", "", text) for text in details)
    )

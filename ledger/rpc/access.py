"""Who may ask this peer what: the one place where a signed request is admitted."""

from collections.abc import Callable
from typing import Protocol

import grpc

from ledger.crypto.msp import Identity, MspRegistry
from ledger.errors import InvalidMessage
from ledger.rpc.status import GatewayError


class SignatureCheck(Protocol):
    """Checks signatures in worker threads and remembers good ones."""

    @property
    def registry(self) -> MspRegistry:
        """Who is who in the configuration in force."""

    async def check_off_loop(self, identity: bytes, message: bytes, signature: bytes) -> None:
        """Raise InvalidMessage unless the signature is good."""


class RequestAccess:
    """Admits signed requests of the channel's members (Fabric's Readers and Writers)."""

    def __init__(
        self,
        *,
        channel_id: str,
        signatures: SignatureCheck,
        clock_ms: Callable[[], int],
        require_reader: Callable[[Identity], None] = lambda _member: None,
    ) -> None:
        """`require_reader` raises InvalidMessage for a member whom the channel does not let read.

        Its policy is Fabric's /Channel/Application/Readers.
        """
        self._require_reader = require_reader
        self.channel_id = channel_id
        self._signatures = signatures
        self._clock_ms = clock_ms

    async def admit(self, identity: bytes, message: bytes, signature: bytes) -> Identity:
        """The member behind a signed message; raises InvalidMessage with the precise reason."""
        member = self.require_allowed(identity)
        await self._signatures.check_off_loop(identity, message, signature)
        return member

    def require_allowed(self, identity: bytes) -> Identity:
        """A member that may read now, its signature aside; raises InvalidMessage."""
        member = self._signatures.registry.identity(identity)
        member.check_validity(self._clock_ms())
        self._require_reader(member)
        return member

    async def require_reader(
        self, *, channel_id: str, identity: bytes, message: bytes, signature: bytes
    ) -> Identity:
        """Like `admit`, for one channel; any refusal is PERMISSION_DENIED as Fabric answers."""
        if channel_id != self.channel_id:
            raise GatewayError(
                grpc.StatusCode.PERMISSION_DENIED, f"channel {channel_id!r} is not on this peer"
            )
        try:
            return await self.admit(identity, message, signature)
        except InvalidMessage as error:
            raise GatewayError(grpc.StatusCode.PERMISSION_DENIED, str(error)) from error

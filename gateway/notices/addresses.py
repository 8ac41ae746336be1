"""Where a household's mail goes: asked of the ledger's private data each time, never kept."""

import json
from collections.abc import Mapping
from typing import Protocol

from gateway.errors import LedgerRefusal
from gateway.ledger_access.refusals import refusal_code
from gateway.ports import Ledger
from ledger.client.proposals import new_proposal
from ledger.crypto.signing import SigningIdentity

NO_PERSON = frozenset({"UNKNOWN_PERSON"})


class Addresses(Protocol):
    """Addresses by household."""

    async def address_of(self, idgrid: str) -> str | None:
        """The e-mail address; None if none is recorded. Raises `LedgerRefusal`."""

    async def holder_of(self, email: str) -> str | None:
        """The IDgrid that uses an address; None if nobody does. Raises `LedgerRefusal`."""


class PrivateAddresses:
    """Asks the contract `persons` as a `notifier`, on this member's peers."""

    def __init__(self, ledger: Ledger, chaincode: str, identity: SigningIdentity) -> None:
        self._ledger = ledger
        self._chaincode = chaincode
        self._identity = identity

    async def address_of(self, idgrid: str) -> str | None:
        """See `Addresses`."""
        found = await self._asked("persons:address", (idgrid,))
        return (found and found["email"]) or None

    async def holder_of(self, email: str) -> str | None:
        """The IDgrid that uses an address; None if nobody does. Raises `LedgerRefusal`."""
        found = await self._asked("persons:holder", (), {"email": email.encode()})
        return (found and found["idgrid"]) or None

    async def _asked(
        self, function: str, args: tuple[str, ...], transient: Mapping[str, bytes] | None = None
    ) -> dict[str, str] | None:
        asked = new_proposal(
            channel_id=self._ledger.channel_id,
            chaincode=self._chaincode,
            function=function,
            args=args,
            creator=self._identity.serialized,
            transient=transient,
        )
        signature = self._identity.sign(asked.raw)
        try:
            raw = await self._ledger.evaluate(asked.tx_id, asked.raw, signature)
        except LedgerRefusal as refusal:
            if refusal_code(refusal) in NO_PERSON:
                return None
            raise
        answer: dict[str, str] = json.loads(raw)
        return answer

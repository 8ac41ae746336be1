"""Where a household's mail goes: asked of the ledger's private data each time, never kept."""

import json
from typing import Protocol

from gateway.errors import LedgerRefusal
from gateway.ports import Ledger
from gateway.refusals import refusal_code
from ledger.client.proposals import new_proposal
from ledger.crypto.signing import SigningIdentity

NO_PERSON = frozenset({"UNKNOWN_PERSON"})


class Addresses(Protocol):
    """Addresses by household."""

    async def address_of(self, idgrid: str) -> str | None:
        """The e-mail address; None if none is recorded. Raises `LedgerRefusal`."""


class PrivateAddresses:
    """Asks the contract `persons` as a `notifier`, on this member's peers."""

    def __init__(self, ledger: Ledger, chaincode: str, identity: SigningIdentity) -> None:
        self._ledger = ledger
        self._chaincode = chaincode
        self._identity = identity

    async def address_of(self, idgrid: str) -> str | None:
        """See `Addresses`."""
        asked = new_proposal(
            channel_id=self._ledger.channel_id,
            chaincode=self._chaincode,
            function="persons:address",
            args=(idgrid,),
            creator=self._identity.serialized,
        )
        signature = self._identity.sign(asked.raw)
        try:
            raw = await self._ledger.evaluate(asked.tx_id, asked.raw, signature)
        except LedgerRefusal as refusal:
            if refusal_code(refusal) in NO_PERSON:
                return None
            raise
        return str(json.loads(raw)["email"]) or None

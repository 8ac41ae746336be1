"""The contract `signers`: the keys that may sign for a participant."""

from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.registry import signers
from chaincode.energy.registry.records import Participant
from chaincode.shim import Context, Contract, transaction


class Signers(Contract):
    """The keys that may sign for a participant, named by SHA-256 of their DER public key."""

    name = "signers"

    @transaction
    async def enrol(self, ctx: Context, idgrid: str, fingerprint: str) -> Participant:
        """Community manager: a participant's first key."""
        return await signers.enrol(world_of(ctx), idgrid=idgrid, fingerprint=fingerprint)

    @transaction
    async def add(self, ctx: Context, fingerprint: str, kind: str = "device") -> Participant:
        """Participant: one more key; an `agent` can carry out standing orders and nothing else."""
        return await signers.add(world_of(ctx), fingerprint=fingerprint, kind=kind)

    @transaction
    async def add_agent(
        self, ctx: Context, fingerprint: str, limits: dict[str, Any]
    ) -> Participant:
        """Participant: the key of an agent that may order, within these limits and until then."""
        return await signers.add_agent(world_of(ctx), fingerprint=fingerprint, limits=limits)

    @transaction
    async def revoke(self, ctx: Context, idgrid: str, fingerprint: str) -> Participant:
        """Participant itself or manager: this key acts no more; undoes a pending recovery."""
        return await signers.revoke(world_of(ctx), idgrid=idgrid, fingerprint=fingerprint)

    @transaction
    async def recover(self, ctx: Context, idgrid: str, fingerprint: str) -> Participant:
        """Community manager: a new key that replaces all others after the cool-down."""
        return await signers.recover(world_of(ctx), idgrid=idgrid, fingerprint=fingerprint)

"""The contract `membership`: consent, contract terms, suspension, exit."""

from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.registry import membership
from chaincode.energy.registry.records import Participant
from chaincode.shim import Context, Contract, transaction


class Membership(Contract):
    """Consent, contract terms, suspension, exit."""

    name = "membership"

    @transaction
    async def consent(self, ctx: Context, terms_hash: str) -> Participant:
        """Participant: agree to the terms with this SHA-256, from now on."""
        return await membership.consent(world_of(ctx), terms_hash)

    @transaction
    async def withdraw_consent(self, ctx: Context) -> Participant:
        """Participant: no new orders until it consents again."""
        return await membership.withdraw_consent(world_of(ctx))

    @transaction
    async def set_contract(self, ctx: Context, idgrid: str, terms: dict[str, Any]) -> Participant:
        """Community manager: duration, capacity, order limit, incentive, priority class."""
        return await membership.set_contract(world_of(ctx), idgrid=idgrid, terms=terms)

    @transaction
    async def set_personal_data_hash(
        self, ctx: Context, idgrid: str, personal_data_hash: str
    ) -> Participant:
        """Community manager: the salted hash of a changed private record."""
        return await membership.set_personal_data_hash(
            world_of(ctx), idgrid=idgrid, personal_data_hash=personal_data_hash
        )

    @transaction
    async def suspend(self, ctx: Context, idgrid: str, reason: str) -> Participant:
        """Manager or grid operator: no new orders; running settlements finish."""
        return await membership.suspend(world_of(ctx), idgrid=idgrid, reason=reason)

    @transaction
    async def reinstate(self, ctx: Context, idgrid: str) -> Participant:
        """Manager or grid operator: end a suspension."""
        return await membership.reinstate(world_of(ctx), idgrid)

    @transaction
    async def leave(self, ctx: Context, idgrid: str, reason: str = "") -> Participant:
        """Participant itself or manager: end the membership for good."""
        return await membership.leave(world_of(ctx), idgrid=idgrid, reason=reason)

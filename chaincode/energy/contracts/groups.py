"""The contract `groups`: households that order as one and share by their meters."""

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.groups import membership, ordering, settling
from chaincode.energy.groups.records import Group, GroupInvitation, GroupMember, GroupSplit
from chaincode.energy.market.records import MarketOrder
from chaincode.shim import Context, Contract, query, transaction


class Groups(Contract):
    """Virtual power plants: members, purse, orders, and the split of settled hours."""

    name = "groups"

    @transaction
    async def found(
        self, ctx: Context, group_id: str, name: str, money_by: str = "readings"
    ) -> Group:
        """Participant: found a group `vpp:...` and manage it."""
        return await membership.found(
            world_of(ctx), group_id=group_id, name=name, money_by=money_by
        )

    @transaction
    async def invite(
        self, ctx: Context, group_id: str, idgrid: str, share: int
    ) -> GroupInvitation:
        """Group manager: let a household join with this share."""
        return await membership.invite(
            world_of(ctx), group_id=group_id, idgrid=idgrid, share=share
        )

    @transaction
    async def dismiss(self, ctx: Context, group_id: str, idgrid: str) -> GroupMember:
        """Group manager: order for a member no more."""
        return await membership.dismiss(world_of(ctx), group_id=group_id, idgrid=idgrid)

    @transaction
    async def join(self, ctx: Context, group_id: str, share: int) -> GroupMember:
        """Participant: let the group order for it, with the share it is invited with."""
        return await membership.join(world_of(ctx), group_id=group_id, share=share)

    @transaction
    async def leave(self, ctx: Context, group_id: str) -> GroupMember:
        """Member: be ordered for no more; gone once its hours are split and its balance zero."""
        return await membership.leave(world_of(ctx), group_id)

    @transaction
    async def pay_in(self, ctx: Context, group_id: str, amount_utoken: int) -> GroupMember:
        """Member: move money into the purse."""
        return await membership.pay_in(
            world_of(ctx), group_id=group_id, amount_utoken=amount_utoken
        )

    @transaction
    async def draw_out(self, ctx: Context, group_id: str, amount_utoken: int) -> GroupMember:
        """Member: take its money out of the purse."""
        return await membership.draw_out(
            world_of(ctx), group_id=group_id, amount_utoken=amount_utoken
        )

    @transaction
    async def place_offer(
        self,
        ctx: Context,
        group_id: str,
        listing_id: str,
        res_id: str,
        energy_wh: int,
        reserve_price_utoken_per_kwh: int,
    ) -> MarketOrder:
        """Group manager: offer for all members."""
        return await ordering.place_offer(
            world_of(ctx),
            group_id=group_id,
            listing_id=listing_id,
            res_id=res_id,
            energy_wh=energy_wh,
            price=reserve_price_utoken_per_kwh,
        )

    @transaction
    async def place_bid(
        self,
        ctx: Context,
        group_id: str,
        listing_id: str,
        energy_wh: int,
        bid_price_utoken_per_kwh: int,
    ) -> MarketOrder:
        """Group manager: bid for all members; the purse locks what it may cost."""
        return await ordering.place_bid(
            world_of(ctx),
            group_id=group_id,
            listing_id=listing_id,
            energy_wh=energy_wh,
            price=bid_price_utoken_per_kwh,
        )

    @transaction
    async def split(self, ctx: Context, group_id: str, listing_id: str) -> GroupSplit:
        """Manager, member or market operator: share a settled hour by the members' meters."""
        return await settling.split(world_of(ctx), group_id=group_id, listing_id=listing_id)

    @query
    async def get_group(self, ctx: Context, group_id: str) -> membership.GroupView:
        """Member or staff: the group, its members and its purse."""
        return await membership.view(world_of(ctx), group_id)

    @query
    async def get_split(self, ctx: Context, group_id: str, listing_id: str) -> GroupSplit:
        """Manager, member or market operator: how a settled hour was split."""
        return await settling.get_split(world_of(ctx), group_id=group_id, listing_id=listing_id)

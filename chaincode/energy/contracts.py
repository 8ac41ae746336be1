"""The four contracts of the chaincode `energy`: what can be called, by name and typed argument.

Each function only passes its arguments on; the rules are in the modules named after them.
Roles and errors: docs/market.md. Energy in Wh, money in micro-tokens, prices in micro-tokens per
kWh, times in ms UTC.
"""

from dataclasses import asdict
from typing import Any

from chaincode.energy import (
    accounts,
    arguments,
    auction,
    fulfilment,
    keys,
    listings,
    market_views,
    metering,
    orders,
    registration,
)
from chaincode.energy.community import Caller, role_of
from chaincode.energy.errors import Refusal
from chaincode.energy.idgrid import with_check_character
from chaincode.energy.records import (
    Account,
    Deposit,
    Listing,
    MarketOrder,
    Meter,
    MeterReading,
    Participant,
    Res,
)
from chaincode.energy.settlement import SettlementLine
from chaincode.energy.world import World
from chaincode.shim import Context, Contract, query, transaction

_NS_PER_MS = 1_000_000


def world_of(ctx: Context) -> World:
    """The energy contracts' view of one transaction."""
    client = ctx.client
    return World(
        stub=ctx.stub,
        caller=Caller(
            mspid=client.mspid,
            role=role_of(client.attributes.get("role")),
            idgrid=client.attributes.get("idgrid"),
        ),
        now_ms=ctx.stub.get_tx_timestamp() // _NS_PER_MS,
    )


class Registry(Contract):
    """Participants, energy sources and meters."""

    name = "registry"

    @transaction
    async def configure(self, ctx: Context, role_members: dict[str, Any]) -> Any:
        """Community manager: which members' certificates count for which staff role."""
        return await registration.configure(world_of(ctx), role_members)

    @transaction
    async def register_participant(
        self,
        ctx: Context,
        idgrid: str,
        role: str,
        personal_data_hash: str,
        kind: str = "household",
    ) -> Participant:
        """Community manager: a new IDgrid, pending until approved."""
        return await registration.register_participant(
            world_of(ctx),
            idgrid=idgrid,
            role=role,
            personal_data_hash=personal_data_hash,
            kind=kind,
        )

    @transaction
    async def register_res(
        self, ctx: Context, res_id: str, owner_idgrid: str, source_type: str, capacity_w: int
    ) -> Res:
        """Owner, manager or operator: a new energy source, pending until approved."""
        return await registration.register_res(
            world_of(ctx),
            res_id=res_id,
            owner_idgrid=owner_idgrid,
            source_type=source_type,
            capacity_w=capacity_w,
        )

    @transaction
    async def register_meter(
        self, ctx: Context, meter_id: str, owner_idgrid: str, public_key: str, res_id: str = ""
    ) -> Meter:
        """Owner, manager or operator: a new meter with its P-256 key (PEM or hex point)."""
        return await registration.register_meter(
            world_of(ctx),
            meter_id=meter_id,
            owner_idgrid=owner_idgrid,
            public_key=public_key,
            res_id=res_id,
        )

    @transaction
    async def approve_participant(self, ctx: Context, idgrid: str) -> Participant:
        """Grid operator: this connection may trade."""
        return await registration.approve_participant(world_of(ctx), idgrid)

    @transaction
    async def approve_res(self, ctx: Context, res_id: str) -> Res:
        """Grid operator: this source may be offered from."""
        return await registration.approve_res(world_of(ctx), res_id)

    @transaction
    async def approve_meter(self, ctx: Context, meter_id: str) -> Meter:
        """Grid operator: readings of this meter count."""
        return await registration.approve_meter(world_of(ctx), meter_id)

    @query
    async def get_participant(self, ctx: Context, idgrid: str) -> Participant:
        """The registry record of an IDgrid."""
        return await world_of(ctx).participant(idgrid)

    @query
    async def get_res(self, ctx: Context, res_id: str) -> Res:
        """The record of an energy source."""
        return await world_of(ctx).get(Res, keys.res(res_id), Refusal.UNKNOWN_RES, res_id)

    @query
    async def get_meter(self, ctx: Context, meter_id: str) -> Meter:
        """The record of a meter."""
        key = keys.meter(meter_id)
        return await world_of(ctx).get(Meter, key, Refusal.UNKNOWN_METER, meter_id)

    @query
    async def complete_idgrid(self, ctx: Context, body: str) -> str:
        """`VAL-0017` -> the IDgrid with its check character."""
        del ctx
        try:
            return with_check_character(body)
        except ValueError as error:
            arguments.bad(str(error))


class Tokens(Contract):
    """Token accounts."""

    name = "tokens"

    @transaction
    async def deposit(
        self, ctx: Context, idgrid: str, amount_utoken: int, reference: str
    ) -> Deposit:
        """Community manager: issue micro-tokens to a participant."""
        return await accounts.deposit(
            world_of(ctx), idgrid=idgrid, amount_utoken=amount_utoken, reference=reference
        )

    @transaction
    async def fold(self, ctx: Context) -> Account:
        """Participant: gather own payouts into the account."""
        return await accounts.fold(world_of(ctx))

    @query
    async def account(self, ctx: Context, idgrid: str) -> accounts.AccountView:
        """Participant itself or staff: free and locked money, energy traded."""
        return await accounts.account_view(world_of(ctx), idgrid)

    @query
    async def audit(self, ctx: Context) -> accounts.Audit:
        """Staff: all money added up; `difference_utoken` is 0."""
        return await accounts.audit(world_of(ctx))


class Market(Contract):
    """Listings, orders, clearing and settlement."""

    name = "market"

    @transaction
    async def open_listing(
        self, ctx: Context, listing_id: str, parameters: dict[str, Any]
    ) -> Listing:
        """Manager or scheduler: open the market of one delivery hour."""
        return await listings.open_listing(
            world_of(ctx), listing_id=listing_id, parameters=parameters
        )

    @transaction
    async def place_offer(
        self,
        ctx: Context,
        listing_id: str,
        res_id: str,
        energy_wh: int,
        reserve_price_utoken_per_kwh: int,
    ) -> MarketOrder:
        """Prosumer or generator: offer energy of an own approved source."""
        return await orders.place_offer(
            world_of(ctx),
            listing_id=listing_id,
            res_id=res_id,
            energy_wh=energy_wh,
            reserve_price_utoken_per_kwh=reserve_price_utoken_per_kwh,
        )

    @transaction
    async def place_bid(
        self, ctx: Context, listing_id: str, energy_wh: int, bid_price_utoken_per_kwh: int
    ) -> MarketOrder:
        """Participant: bid for energy; locks what it may cost."""
        return await orders.place_bid(
            world_of(ctx),
            listing_id=listing_id,
            energy_wh=energy_wh,
            bid_price_utoken_per_kwh=bid_price_utoken_per_kwh,
        )

    @transaction
    async def close_bidding(self, ctx: Context, listing_id: str) -> Listing:
        """Market operator, from gate closure on: no more orders."""
        return await listings.close_bidding(world_of(ctx), listing_id)

    @transaction
    async def clear(self, ctx: Context, listing_id: str) -> auction.AuctionResult:
        """Market operator: one price, all matches."""
        return await auction.clear(world_of(ctx), listing_id)

    @transaction
    async def start_delivery(self, ctx: Context, listing_id: str) -> Listing:
        """Market operator, from delivery start on: mark that delivery runs."""
        return await listings.start_delivery(world_of(ctx), listing_id)

    @transaction
    async def settle(self, ctx: Context, listing_id: str) -> fulfilment.SettlementRecord:
        """Market operator or oracle, after delivery: pay and refund, once."""
        return await fulfilment.settle(world_of(ctx), listing_id)

    @query
    async def get_listing(self, ctx: Context, listing_id: str) -> Listing:
        """Header and state of a listing."""
        return await listings.get_listing(world_of(ctx), listing_id)

    @query
    async def list_listings(self, ctx: Context, from_id: str, to_id: str) -> list[dict[str, Any]]:
        """Listings with from_id <= id < to_id."""
        found = await market_views.list_listings(world_of(ctx), from_id=from_id, to_id=to_id)
        return [asdict(listing) for listing in found]

    @query
    async def get_book(self, ctx: Context, listing_id: str) -> market_views.BookView:
        """Totals, best prices and curves of a listing so far."""
        return await market_views.get_book(world_of(ctx), listing_id)

    @query
    async def get_orders(self, ctx: Context, listing_id: str, idgrid: str) -> list[dict[str, Any]]:
        """Participant itself or staff: its orders in a listing."""
        found = await market_views.get_orders(world_of(ctx), listing_id=listing_id, idgrid=idgrid)
        return [asdict(order) for order in found]

    @query
    async def get_result(self, ctx: Context, listing_id: str) -> auction.AuctionResult:
        """What the auction of a listing decided."""
        return await auction.get_result(world_of(ctx), listing_id)

    @query
    async def get_settlement(self, ctx: Context, listing_id: str) -> fulfilment.SettlementRecord:
        """Totals of a settled listing."""
        return await fulfilment.get_settlement(world_of(ctx), listing_id)

    @query
    async def get_line(self, ctx: Context, listing_id: str, idgrid: str) -> SettlementLine:
        """Participant itself or staff: its line of a settled listing."""
        return await fulfilment.get_line(world_of(ctx), listing_id=listing_id, idgrid=idgrid)


class Oracle(Contract):
    """Signed meter readings."""

    name = "oracle"

    @transaction
    async def report_readings(self, ctx: Context, readings: list[Any]) -> metering.Report:
        """Oracle: record readings signed by their meters."""
        return await metering.report_readings(world_of(ctx), readings)

    @query
    async def last_reading(self, ctx: Context, meter_id: str) -> MeterReading:
        """Owner or staff: the newest reading of a meter."""
        return await metering.last_reading(world_of(ctx), meter_id)


CONTRACTS = (Registry, Tokens, Market, Oracle)

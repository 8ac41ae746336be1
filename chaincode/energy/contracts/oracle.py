"""The contract `oracle`: signed meter readings, agreed answers, prices."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.market import price_check
from chaincode.energy.oracle import carrying, meter_data, panel, prices, reports, requests
from chaincode.energy.oracle.records import MeterReading, OracleRequest, Panel, PricePoint
from chaincode.shim import Context, Contract, query, transaction


class Oracle(Contract):
    """Signed meter readings, questions answered by k of n oracles, and price series."""

    name = "oracle"

    @transaction
    async def report_readings(self, ctx: Context, readings: list[Any]) -> reports.Report:
        """Oracle: record readings signed by their meters."""
        return await reports.report_readings(world_of(ctx), readings)

    @query
    async def check_readings(
        self, ctx: Context, readings: list[Any]
    ) -> list[carrying.RefusedReading]:
        """Oracle: which of these readings a report would be refused for."""
        return await carrying.check_readings(world_of(ctx), readings)

    @query
    async def last_reading(self, ctx: Context, meter_id: str) -> MeterReading:
        """Owner, who has its grant, oracle: the newest reading of a meter."""
        return await meter_data.last_reading(world_of(ctx), meter_id)

    @transaction
    async def name_panel(
        self, ctx: Context, members: list[Any], quorum: int, mode: str = "production"
    ) -> Panel:
        """Community manager: whose oracles are asked, and how many must agree."""
        return await panel.name_panel(world_of(ctx), members=members, quorum=quorum, mode=mode)

    @query
    async def get_panel(self, ctx: Context) -> Panel:
        """The oracles of the community."""
        return await panel.get_panel(world_of(ctx))

    @transaction
    async def request(
        self, ctx: Context, kind: str, subject: str, at_ms: int = 0, tolerance: int = 0
    ) -> OracleRequest:
        """Owner or staff: ask the oracles about a device or a price at an instant (0: now)."""
        return await requests.request(
            world_of(ctx), kind=kind, subject=subject, at_ms=at_ms, tolerance=tolerance
        )

    @transaction
    async def answer(self, ctx: Context, request_id: str, value: int) -> OracleRequest:
        """Oracle of a member of the panel: what it found."""
        return await requests.answer(world_of(ctx), request_id=request_id, value=value)

    @transaction
    async def retry(self, ctx: Context, request_id: str) -> OracleRequest:
        """Owner or staff: put an expired question again."""
        return await requests.retry(world_of(ctx), request_id)

    @transaction
    async def expire(self, ctx: Context, request_id: str) -> OracleRequest:
        """Anyone, when its time is over: mark a request that nobody answered."""
        return await requests.expire(world_of(ctx), request_id)

    @query
    async def open_requests(self, ctx: Context) -> list[dict[str, Any]]:
        """Oracle: what its member is asked and has not answered."""
        found = await requests.open_requests(world_of(ctx))
        return [asdict(asked) for asked in found]

    @query
    async def get_request(self, ctx: Context, request_id: str) -> OracleRequest:
        """Who asked or staff, of a price anybody: a request and its value."""
        return await requests.get_request(world_of(ctx), request_id)

    @transaction
    async def publish_price(
        self,
        ctx: Context,
        series: str,
        price_utoken_per_kwh: int,
        effective_from_ms: int,
        valid_for_ms: int,
    ) -> PricePoint:
        """Community manager: a price from an instant on (0: now), valid for so long."""
        return await prices.publish_price(
            world_of(ctx),
            series=series,
            price_utoken_per_kwh=price_utoken_per_kwh,
            effective_from_ms=effective_from_ms,
            valid_for_ms=valid_for_ms,
        )

    @query
    async def price_in_force(self, ctx: Context, series: str, at_ms: int = 0) -> prices.PriceView:
        """The price of a series at an instant (0: now), and whether it is stale."""
        return await prices.view_price(world_of(ctx), series, at_ms)

    @query
    async def list_prices(
        self, ctx: Context, series: str, from_ms: int, to_ms: int
    ) -> list[dict[str, Any]]:
        """Prices that took effect in from_ms <= time < to_ms."""
        found = await prices.list_prices(world_of(ctx), series, from_ms=from_ms, to_ms=to_ms)
        return [asdict(point) for point in found]

    @transaction
    async def check_price(self, ctx: Context, listing_id: str) -> price_check.PriceCheck:
        """Market operator, before clearing: compare a listing's cap with the price in force."""
        return await price_check.check_price(world_of(ctx), listing_id)

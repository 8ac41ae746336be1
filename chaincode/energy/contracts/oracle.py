"""The contract `oracle`: signed meter readings."""

from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.oracle import reports
from chaincode.energy.oracle.records import MeterReading
from chaincode.shim import Context, Contract, query, transaction


class Oracle(Contract):
    """Signed meter readings."""

    name = "oracle"

    @transaction
    async def report_readings(self, ctx: Context, readings: list[Any]) -> reports.Report:
        """Oracle: record readings signed by their meters."""
        return await reports.report_readings(world_of(ctx), readings)

    @query
    async def last_reading(self, ctx: Context, meter_id: str) -> MeterReading:
        """Owner or staff: the newest reading of a meter."""
        return await reports.last_reading(world_of(ctx), meter_id)

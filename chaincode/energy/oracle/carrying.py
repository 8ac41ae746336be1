"""What an oracle has to know to carry readings: of which meters, since when, and what is wrong.

The ledger is the only memory of an oracle: what is recorded of a meter need not be carried again,
so an oracle that was killed goes on where the ledger stands, and several take turns.
"""

from dataclasses import dataclass
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import Role
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.oracle.reports import checked_readings, refusal_of, states_of
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Connection, Meter, Status
from chaincode.energy.world import World

CONNECTIONS_PER_PAGE = 500
"""Looked at in one call; two more keys are read for each."""
_CARRIERS = frozenset({Role.ORACLE})


@dataclass(frozen=True, slots=True)
class CarriedMeter:
    """An approved meter at a grid connection; `recorded_ms` ends its last reading, 0: none."""

    meter: Meter
    recorded_ms: int


@dataclass(frozen=True, slots=True)
class CarriedMeters:
    """A page of them; `following`: the key after which to ask on, empty at the end."""

    meters: list[CarriedMeter]
    following: str


@dataclass(frozen=True, slots=True)
class RefusedReading:
    """A reading that `report_readings` would refuse, and with which code."""

    meter_id: str
    seq: int
    code: str


async def carried_meters(world: World, *, after: str = "") -> CarriedMeters:
    """Oracle: the meters whose readings settle deliveries, `CONNECTIONS_PER_PAGE` at a time.

    A meter that left its connection is among them: its former owner's last hours count.
    """
    await world.require_role(_CARRIERS)
    first, end = keys.under("connection")
    if after and not first <= after < end:
        arguments.bad("after is no key of a connection")
    rows = await world.scan(
        Connection,
        (keys.following(after) if after else first, end),
        limit=CONNECTIONS_PER_PAGE,
    )
    meter_ids = sorted({connection.meter_id for _, connection in rows})
    return CarriedMeters(
        meters=await _with_heads(world, meter_ids),
        following=rows[-1][0] if len(rows) == CONNECTIONS_PER_PAGE else "",
    )


async def check_readings(world: World, readings: list[Any]) -> list[RefusedReading]:
    """Oracle: which of these a report would be refused for, each judged by itself.

    The answer for an oracle whose report was refused: it leaves these out and reports the rest.
    """
    await world.require_role(_CARRIERS)
    given = checked_readings(readings)
    states = await states_of(world, given)
    refused = []
    for reading in given:
        state = states[reading.meter_id]
        refusal = await refusal_of(world, state, reading)
        if refusal is not None:
            refused.append(RefusedReading(reading.meter_id, reading.seq, refusal.name))
        else:
            state.advance(reading)
    return refused


async def _with_heads(world: World, meter_ids: list[str]) -> list[CarriedMeter]:
    count = len(meter_ids)
    raw = await world.stub.get_states(
        [keys.meter(name) for name in meter_ids] + [keys.meter_head(name) for name in meter_ids]
    )
    found = []
    for meter_raw, head_raw in zip(raw[:count], raw[count:], strict=True):
        meter = decode(Meter, meter_raw)
        if meter.status == Status.APPROVED:
            head = decode(MeterReading, head_raw) if head_raw else None
            found.append(CarriedMeter(meter, recorded_ms=head.t_end_ms if head else 0))
    return found

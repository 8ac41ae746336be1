"""A day of the data set replayed: what each home's chart shows beside what was recorded. In Wh."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import httpx

from gateway.hems.profiles import FIRST_HOUR, LOCAL_ZONE, Home, Profiles

HOURS_PER_DAY = 24
LINES_PER_PAGE = 100
READ_WITHIN_S = 60
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Energy:
    """Taken from the grid and fed in, netted hour by hour as a meter at the connection does."""

    imported_wh: int
    exported_wh: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """One home's day: recorded in the data set, and shown after meter, broker and settlement."""

    idgrid: str
    recorded: Energy
    shown: Energy

    @property
    def is_same(self) -> bool:
        """To the watt-hour."""
        return self.recorded == self.shown


def first_hour_of(day: date, profiles: Profiles) -> datetime:
    """Midnight in the homes' zone, UTC; `ValueError` for a day that is not whole in the set."""
    start = datetime.combine(day, time(), tzinfo=LOCAL_ZONE).astimezone(UTC)
    last = FIRST_HOUR + timedelta(hours=profiles.hours - HOURS_PER_DAY)
    if not FIRST_HOUR <= start <= last:
        first_day, last_day = (at.astimezone(LOCAL_ZONE).date() for at in (FIRST_HOUR, last))
        raise ValueError(f"{day} is not between {first_day + timedelta(days=1)} and {last_day}")
    return start


def recorded(home: Home, profiles: Profiles, first_hour: datetime, hours: int) -> Energy:
    """What the data set says of a home over some hours."""
    rows = [profiles.hour_index(first_hour + timedelta(hours=at)) for at in range(hours)]
    net_wh = [home.pv_wh[row] - home.load_wh[row] for row in rows]
    return Energy(
        imported_wh=-sum(net for net in net_wh if net < 0),
        exported_wh=sum(net for net in net_wh if net > 0),
    )


async def shown(http: httpx.AsyncClient, idgrids: Sequence[str], hours: int) -> dict[str, Energy]:
    """What the pages' charts add up for each home: its settled lines, once it has so many.

    `http` is signed in as somebody who may see the households. Lines that the gateway has not read
    after `READ_WITHIN_S` are left out.
    """
    deadline = asyncio.get_running_loop().time() + READ_WITHIN_S
    while True:
        found = {idgrid: await _lines(http, idgrid) for idgrid in idgrids}
        is_whole = all(len(lines) >= hours for lines in found.values())
        if is_whole or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(POLL_S)
    return {
        idgrid: Energy(_sum(lines, "imported_wh"), _sum(lines, "exported_wh"))
        for idgrid, lines in found.items()
    }


async def compare(
    http: httpx.AsyncClient,
    homes: Mapping[str, Home],
    profiles: Profiles,
    first_hour: datetime,
    hours: int,
) -> list[Replayed]:
    """What was recorded of each home, by IDgrid, beside what its chart shows; see `shown`."""
    charted = await shown(http, list(homes), hours)
    return [
        Replayed(idgrid, recorded(home, profiles, first_hour, hours), charted[idgrid])
        for idgrid, home in homes.items()
    ]


def told(found: Sequence[Replayed]) -> list[str]:
    """The comparison in lines of text."""
    heading = f"{'home':<14}{'taken, Wh':>12}{'fed in, Wh':>12}   as recorded"
    lines = [
        f"{one.idgrid:<14}{one.shown.imported_wh:>12}{one.shown.exported_wh:>12}"
        f"   {'yes' if one.is_same else 'NO'}"
        for one in found
    ]
    taken, fed = (sum(values) for values in zip(*map(_pair, found), strict=True))
    return [heading, *lines, f"{'sum':<14}{taken:>12}{fed:>12}"]


def differences(found: Iterable[Replayed]) -> list[str]:
    """Every home whose chart does not show what was recorded, in words."""
    return [
        f"{one.idgrid}: the chart adds up {_pair(one)} Wh, the data set"
        f" {(one.recorded.imported_wh, one.recorded.exported_wh)} Wh"
        for one in found
        if not one.is_same
    ]


def _pair(one: Replayed) -> tuple[int, int]:
    return one.shown.imported_wh, one.shown.exported_wh


def _sum(lines: Iterable[Mapping[str, Any]], column: str) -> int:
    return sum(int(line[column]) for line in lines)


async def _lines(http: httpx.AsyncClient, idgrid: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    query: dict[str, str | int] = {"limit": LINES_PER_PAGE}
    while True:
        answer = await http.get(f"/v1/accounts/{idgrid}/settlements", params=query)
        page = answer.raise_for_status().json()
        lines += page["items"]
        if page["next"] is None:
            return lines
        query["after"] = page["next"]

"""What is known of every device: when it was last heard, what it says of itself.

From that follow the alarm of a silent device (once, cleared when it is back) and the status page.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import delete, insert, select

from gateway.database import Database
from gateway.hems.tables import DeviceRow
from gateway.mqtt.device_messages import LOST, ONLINE, DeviceState

UNKNOWN = "unknown"
LAST_SEEN_WRITTEN_MS = 60_000
"""How stale the stored time may be; after a restart a device seems silent that much earlier."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as its messages show it."""

    device_id: str
    state: str
    last_seen_ms: int
    online_since_ms: int
    firmware: str
    tier: str
    relay_in: int | None
    relay_out: int | None
    plug_on: int | None
    outbox: int | None
    refused: int
    dropped: int | None
    signal_dbm: int | None


class DeviceBook:
    """All devices ever heard of."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = {device.device_id: device for device in self._stored()}
        self._written = dict(self._known)

    def all(self) -> list[Device]:
        """Every device, by name."""
        return [self._known[name] for name in sorted(self._known)]

    def _stored(self) -> list[Device]:
        with self._database.reading() as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(DeviceRow.device_id))
            return [Device(**row) for row in rows.mappings()]

    def get(self, device_id: str) -> Device | None:
        """One device."""
        return self._known.get(device_id)

    def is_on(self, device_id: str) -> bool | None:
        """How a plug that is there is switched; None if it is away or has not told."""
        known = self._known.get(device_id)
        if known is None or known.state != ONLINE or known.plug_on is None:
            return None
        return bool(known.plug_on)

    def heard(
        self,
        device_ids: Iterable[str],
        now_ms: int,
        *,
        states: Mapping[str, DeviceState] | None = None,
        refused: Mapping[str, int] | None = None,
    ) -> None:
        """Note who spoke, with what it said of itself; one transaction.

        A message that was refused is counted; its device was not heard by it.
        """
        said, faults, spoken = states or {}, Counter(refused or {}), set(device_ids)
        changed = [
            _updated(
                self._known.get(name),
                name,
                said.get(name),
                now_ms,
                faults=faults[name],
                has_spoken=name in spoken,
            )
            for name in sorted({*spoken, *said, *faults})
        ]
        if not changed:
            return
        self._warn_of_dropped(changed)
        self._known |= {device.device_id: device for device in changed}
        due = [device for device in changed if self._is_due(device, now_ms)]
        if not due:
            return
        with self._database.writing() as connection:
            names_due = [device.device_id for device in due]
            connection.execute(delete(DeviceRow).where(DeviceRow.device_id.in_(names_due)))
            connection.execute(insert(DeviceRow), [_values(device) for device in due])
        self._written |= {device.device_id: device for device in due}

    def _warn_of_dropped(self, changed: Iterable[Device]) -> None:
        """A line for each device whose full queues lost more than it had said before."""
        for device in changed:
            known = self._known.get(device.device_id)
            before = (known.dropped if known is not None else None) or 0
            if device.dropped is not None and device.dropped > before:
                logger.warning(
                    "%s dropped %d messages or readings, %d since it started",
                    device.device_id,
                    device.dropped - before,
                    device.dropped,
                )

    def _is_due(self, device: Device, now_ms: int) -> bool:
        """Whatever changed is written at once; being heard again only now and then."""
        written = self._written.get(device.device_id)
        if written is None or now_ms - written.last_seen_ms >= LAST_SEEN_WRITTEN_MS:
            return True
        return replace(device, last_seen_ms=written.last_seen_ms) != written

    def silent(self, now_ms: int, after_ms: int) -> list[str]:
        """Devices that were heard once, and not for longer than `after_ms`."""
        return [
            device.device_id
            for device in list(self._known.values())  # others hear meanwhile
            if device.last_seen_ms and now_ms - device.last_seen_ms > after_ms
        ]


_COLUMNS = (
    DeviceRow.device_id,
    DeviceRow.state,
    DeviceRow.last_seen_ms,
    DeviceRow.online_since_ms,
    DeviceRow.firmware,
    DeviceRow.tier,
    DeviceRow.relay_in,
    DeviceRow.relay_out,
    DeviceRow.plug_on,
    DeviceRow.outbox,
    DeviceRow.refused,
    DeviceRow.dropped,
    DeviceRow.signal_dbm,
)


def _updated(
    known: Device | None,
    name: str,
    said: DeviceState | None,
    now_ms: int,
    *,
    faults: int,
    has_spoken: bool,
) -> Device:
    before = known or _unheard(name)
    is_heard = has_spoken or (said is not None and said.state != LOST)
    is_back = has_spoken and before.state in (LOST, UNKNOWN)
    has_come = said is not None and said.state == ONLINE
    return Device(
        device_id=name,
        state=said.state if said else (ONLINE if is_back else before.state),
        last_seen_ms=now_ms if is_heard else before.last_seen_ms,
        online_since_ms=now_ms if has_come else before.online_since_ms,
        firmware=(said.firmware if said else "") or before.firmware,
        tier=(said.tier if said else "") or before.tier,
        relay_in=_newer(said.relay_in if said else None, before.relay_in),
        relay_out=_newer(said.relay_out if said else None, before.relay_out),
        plug_on=_newer(said.plug_on if said else None, before.plug_on),
        outbox=_newer(said.outbox if said else None, before.outbox),
        refused=before.refused + faults,
        dropped=_newer(said.dropped if said else None, before.dropped),
        signal_dbm=_newer(said.signal_dbm if said else None, before.signal_dbm),
    )


def _unheard(name: str) -> Device:
    return Device(
        device_id=name,
        state=UNKNOWN,
        last_seen_ms=0,
        online_since_ms=0,
        firmware="",
        tier="",
        relay_in=None,
        relay_out=None,
        plug_on=None,
        outbox=None,
        refused=0,
        dropped=None,
        signal_dbm=None,
    )


def _newer(said: int | None, before: int | None) -> int | None:
    return before if said is None else said


def _values(device: Device) -> dict[str, object]:
    return {column.key: getattr(device, column.key) for column in _COLUMNS}

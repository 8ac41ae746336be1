"""What devices say besides readings, and what the gateway says to them: JSON (docs/mqtt.md).

Decoders take a device's bytes and its name from the topic, and raise `BadReading` naming what is
wrong; encoders give the bytes to publish. Milliseconds UTC, millivolts, milliamperes, milliwatts.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chaincode.energy.arguments import ENERGY_WH_MAX
from chaincode.energy.oracle.records import MeterReading
from gateway.mqtt.reading import BadReading, whole_number
from gateway.mqtt.topics import GATEWAY
from gateway.strict_json import BadJson, parse_strictly

FORMAT_VERSION = 1
MESSAGE_BYTES_MAX = 1_024
TIME_MS_MAX = 253_402_300_799_999
MILLI_MAX = 10**9
PERMILLE_MAX = 1_000
MWH_PER_KWH = 1_000_000
FLAGS = ("u_saturated", "i_saturated", "p_saturated", "uncalibrated")
ONLINE, LOST, OFF = "online", "lost", "off"
ACCEPTED, DONE, FAILED, REFUSED = "accepted", "done", "failed", "refused"
CLOCK_OK, CLOCK_WAITING, CLOCK_DOUBTED = "ok", "waiting", "doubted"
FINAL = frozenset((DONE, FAILED, REFUSED))
COMMAND_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_WORD = re.compile(r"[A-Za-z0-9_.+-]{0,32}")
_MEASURES = ("u_mv", "i_ma", "p_mw", "soc_permille")


@dataclass(frozen=True, slots=True)
class Measurement:
    """Values at an instant; None where the device has none, or a flag instead."""

    device_id: str
    t_ms: int
    u_mv: int | None = None
    i_ma: int | None = None
    p_mw: int | None = None
    soc_permille: int | None = None
    flags: tuple[str, ...] = ()
    energy_wh: int | None = None
    """A plug's own counter, from the adapters; nodes send registers as readings."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What a device says of itself; relays are 0 open, 1 closed, None not there."""

    device_id: str
    state: str
    t_ms: int | None = None
    firmware: str = ""
    tier: str = ""
    relay_in: int | None = None
    relay_out: int | None = None
    plug_on: int | None = None
    outbox: int | None = None
    dropped: int | None = None
    """Messages and readings that left its full queues since it started."""
    clock: str = ""
    """`CLOCK_WAITING`: it is back after long and will believe what it is told if nothing
    contradicts; `CLOCK_DOUBTED`: something does, or it waits for too long."""
    signal_dbm: int | None = None
    """Of its radio, as plugs of other makers tell it."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """How a command stands at a device; `energy_mwh` in thousandths of a watt-hour."""

    device_id: str
    command_id: str
    status: str
    t_ms: int
    reason: str = ""
    relay_in: int | None = None
    relay_out: int | None = None
    plug_on: int | None = None
    energy_mwh: int = 0

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come of this command."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class EnergyEvent:
    """`Payable Energy` start or stop (004:276-298); kWh on the wire, here thousandths of a Wh."""

    device_id: str
    transfer_id: str
    event: str
    seconds: int
    energy_mwh: int


def decode_measurement(raw: bytes, *, device_id: str) -> Measurement:
    """A `measure` message; without a time or any value it is refused."""
    fields = _fields(raw, device_id, required=("t",), optional=(*_MEASURES, "flags"))
    flags = fields.get("flags", [])
    if not isinstance(flags, list) or any(flag not in FLAGS for flag in flags):
        raise BadReading(f"flags are some of {', '.join(FLAGS)}")
    if not flags and not any(name in fields for name in _MEASURES):
        raise BadReading("a measurement has at least one value")
    return Measurement(
        device_id=device_id,
        t_ms=whole_number(fields, "t", 0, TIME_MS_MAX),
        u_mv=_maybe(fields, "u_mv", -MILLI_MAX, MILLI_MAX),
        i_ma=_maybe(fields, "i_ma", -MILLI_MAX, MILLI_MAX),
        p_mw=_maybe(fields, "p_mw", -MILLI_MAX, MILLI_MAX),
        soc_permille=_maybe(fields, "soc_permille", 0, PERMILLE_MAX),
        flags=tuple(flags),
    )


def decode_state(raw: bytes, *, device_id: str) -> DeviceState:
    """A `state` message, the last will included."""
    optional = ("t", "fw", "tier", "in", "out", "on", "outbox", "dropped", "clock")
    fields = _fields(raw, device_id, required=("state",), optional=optional)
    if fields["state"] not in (ONLINE, LOST, OFF):
        raise BadReading("state is online, lost or off")
    if fields.get("clock", CLOCK_OK) not in (CLOCK_OK, CLOCK_WAITING, CLOCK_DOUBTED):
        raise BadReading("clock is ok, waiting or doubted")
    return DeviceState(
        device_id=device_id,
        state=fields["state"],
        t_ms=_maybe(fields, "t", 0, TIME_MS_MAX),
        firmware=_word(fields, "fw"),
        tier=_word(fields, "tier"),
        relay_in=_maybe(fields, "in", 0, 1),
        relay_out=_maybe(fields, "out", 0, 1),
        plug_on=_maybe(fields, "on", 0, 1),
        outbox=_maybe(fields, "outbox", 0, MILLI_MAX),
        dropped=_maybe(fields, "dropped", 0, MILLI_MAX),
        clock=fields.get("clock", ""),
    )


def decode_acknowledgement(raw: bytes, *, device_id: str) -> Acknowledgement:
    """An `ack` message."""
    optional = ("reason", "in", "out", "on", "energy_mwh")
    fields = _fields(raw, device_id, required=("id", "status", "t"), optional=optional)
    if fields["status"] not in (ACCEPTED, *FINAL):
        raise BadReading("status is accepted, done, failed or refused")
    return Acknowledgement(
        device_id=device_id,
        command_id=_command_id(fields["id"]),
        status=fields["status"],
        t_ms=whole_number(fields, "t", 0, TIME_MS_MAX),
        reason=_word(fields, "reason"),
        relay_in=_maybe(fields, "in", 0, 1),
        relay_out=_maybe(fields, "out", 0, 1),
        plug_on=_maybe(fields, "on", 0, 1),
        energy_mwh=_maybe(fields, "energy_mwh", 0, ENERGY_WH_MAX) or 0,
    )


def decode_event(raw: bytes, *, device_id: str) -> EnergyEvent:
    """An `event` message: name, event, time, energy, id and d."""
    fields = _members(raw)
    if set(fields) != {"name", "event", "time", "energy", "id", "d"}:
        raise BadReading("the fields are name, event, time, energy, id and d")
    if fields["d"] != device_id:
        raise BadReading(f"{device_id} speaks for another device")
    if fields["name"] != "Payable Energy" or fields["event"] not in ("start", "stop"):
        raise BadReading("an event is Payable Energy start or stop")
    energy = fields["energy"]
    if type(energy) not in (int, float) or not 0 <= energy <= MILLI_MAX:
        raise BadReading("energy is a number of kWh")
    return EnergyEvent(
        device_id=device_id,
        transfer_id=_command_id(fields["id"]),
        event=fields["event"],
        seconds=whole_number(fields, "time", 0, MILLI_MAX),
        energy_mwh=round(energy * MWH_PER_KWH),
    )


def encode_stored(readings: Sequence[MeterReading]) -> bytes:
    """Ranges of `seq` (ends included) of one meter that its device may forget."""
    numbers = sorted({reading.seq for reading in readings})
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return packed({"v": FORMAT_VERSION, "m": readings[0].meter_id, "seqs": ranges})


def encode_time(now_ms: int) -> bytes:
    """The time for every device."""
    return packed({"v": FORMAT_VERSION, "t": now_ms})


def encode_own_state(state: str) -> bytes:
    """Whether the gateway is there."""
    return packed({"v": FORMAT_VERSION, "d": GATEWAY, "state": state})


def packed(message: dict[str, Any]) -> bytes:
    """JSON without spaces."""
    return json.dumps(message, separators=(",", ":")).encode("ascii")


def _fields(
    raw: bytes, device_id: str, *, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, Any]:
    fields = _members(raw)
    missing = {"v", "d", *required} - set(fields)
    if missing:
        raise BadReading(f"the field {min(missing)} is missing")
    unknown = set(fields) - {"v", "d", *required, *optional}
    if unknown:
        raise BadReading("there is a field that does not belong here")
    if fields["v"] != FORMAT_VERSION:
        raise BadReading("the format version is unknown")
    if fields["d"] != device_id:
        raise BadReading(f"{device_id} speaks for another device")
    return fields


def _members(raw: bytes) -> dict[str, Any]:
    if len(raw) > MESSAGE_BYTES_MAX:
        raise BadReading(f"more than {MESSAGE_BYTES_MAX} bytes")
    try:
        message = parse_strictly(raw)
    except BadJson as error:
        raise BadReading(str(error)) from error
    if not isinstance(message, dict):
        raise BadReading("a message is a JSON object")
    return message


def _maybe(fields: dict[str, Any], name: str, low: int, high: int) -> int | None:
    return None if fields.get(name) is None else whole_number(fields, name, low, high)


def _word(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise BadReading(f"{name} is a short word")
    return value


def _command_id(value: object) -> str:
    if not isinstance(value, str) or not COMMAND_ID.fullmatch(value):
        raise BadReading("id is that of a command")
    return value

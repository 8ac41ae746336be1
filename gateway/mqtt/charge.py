"""A battery's state of charge on the wire: JSON on `rec/<community>/<battery>/charge`.

    {"v":1,"b":"battery-1","t":1470085200000,"stored_wh":6250}

`b` is the battery's RESid, `t` when its controller saw that much. It is not signed: the broker
lets a device speak for itself only, and what counts on the ledger is what k of n oracles agree on.
"""

from chaincode.energy.arguments import ENERGY_WH_MAX
from chaincode.energy.hours import TIME_MS_MAX
from gateway.hems.batteries import Observation
from gateway.mqtt.reading import MESSAGE_BYTES_MAX, BadReading, whole_number
from gateway.strict_json import BadJson, parse_strictly

FORMAT_VERSION = 1
CLOCK_AHEAD_MS_MAX = 5 * 60_000
"""How far a controller's clock may be ahead of the gateway's."""
_FIELDS = frozenset(("v", "b", "t", "stored_wh"))


def decode_charge(raw: bytes, *, battery_id: str, now_ms: int) -> Observation:
    """The observation in a message of this battery; raises `BadReading` naming what is wrong."""
    if len(raw) > MESSAGE_BYTES_MAX:
        raise BadReading(f"more than {MESSAGE_BYTES_MAX} bytes")
    try:
        message = parse_strictly(raw)
    except BadJson as error:
        raise BadReading(str(error)) from error
    if not isinstance(message, dict) or set(message) != _FIELDS:
        raise BadReading(f"the fields are {', '.join(sorted(_FIELDS))}, all of them and no other")
    if message["v"] != FORMAT_VERSION:
        raise BadReading(f"format version {message['v']!r} is unknown")
    if message["b"] != battery_id:
        raise BadReading(f"{battery_id} speaks for another battery")
    at_ms = whole_number(message, "t", 0, TIME_MS_MAX)
    if at_ms > now_ms + CLOCK_AHEAD_MS_MAX:
        raise BadReading("t is in the future")
    return Observation(at_ms=at_ms, stored_wh=whole_number(message, "stored_wh", 0, ENERGY_WH_MAX))

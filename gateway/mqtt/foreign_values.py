"""Numbers and objects in messages of devices that are not ours. Pure."""

from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.mqtt.device_messages import MILLI_MAX
from gateway.strict_json import BadJson, parse_strictly

NUMBER_BYTES_MAX = 32
MESSAGE_BYTES_MAX = 4_096
MILLI = 1_000
COUNTER_MAX = 10**9


def object_of(raw: bytes) -> dict[str, Any]:
    """The JSON object in a message; an empty one for anything else."""
    if len(raw) > MESSAGE_BYTES_MAX:
        return {}
    try:
        found = parse_strictly(raw)
    except BadJson:
        return {}
    return found if isinstance(found, dict) else {}


def milli_of_text(raw: bytes) -> int | None:
    """Thousandths of a number that is a message by itself; None for anything else."""
    return milli(_number_of_text(raw))


def milli(value: object) -> int | None:
    """Thousandths of a number; None for what is none or out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) * MILLI > MILLI_MAX:
        return None
    return int(number * MILLI)


def counter(value: object) -> int | None:
    """A counter without its fraction; None for what is none or out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return int(number) if number.is_finite() and 0 <= number <= COUNTER_MAX else None


def counter_of_text(raw: bytes) -> int | None:
    """A counter that is a message by itself, whole and in its own unit; None for anything else."""
    return counter(_number_of_text(raw))


def _number_of_text(raw: bytes) -> Decimal | None:
    if len(raw) > NUMBER_BYTES_MAX:
        return None
    try:
        return Decimal(raw.decode("ascii").strip())
    except (InvalidOperation, UnicodeDecodeError):
        return None

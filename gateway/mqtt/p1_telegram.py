"""A telegram of a smart meter's P1 port (DSMR 4 and 5, e-MUCS), as a measurement.

A reader publishes it as it came, from `/` to the checksum after `!`. Only what the checksum
vouches for is read, and the time is the meter's own. Pure.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway.mqtt.device_messages import MILLI_MAX, Measurement
from gateway.mqtt.reading import BadReading

TELEGRAM_BYTES_MAX = 8_192
CLOCK_AHEAD_MS_MAX = 5 * 60_000
BEHIND_MS_MAX = 24 * 3_600_000
_POLYNOMIAL = 0xA001
"""x^16 + x^15 + x^2 + 1, least significant bit first, nothing before and nothing after."""
_UTC_OFFSET_HOURS = {"S": 2, "W": 1}
"""Summer and winter time of the countries that have P1."""
_LINE = re.compile(r"(\d-\d:\d{1,3}\.\d{1,3}\.\d{1,3})\(([^()]{1,32})\)")
_VALUE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\*(kWh|kW|V|A)")
_TIME = "0-0:1.0.0"
_IMPORTED = ("1-0:1.8.0", "1-0:1.8.1", "1-0:1.8.2")
_TAKEN_NOW, _FED_IN_NOW = "1-0:1.7.0", "1-0:2.7.0"
_VOLTAGE, _CURRENT = "1-0:32.7.0", "1-0:31.7.0"
MILLI, MICRO = 1_000, 1_000_000


def read_telegram(raw: bytes, *, device_id: str, now_ms: int) -> Measurement:
    """Power (fed in is negative), energy taken, voltage and current of the first phase.

    Raises `BadReading` for a wrong checksum, or a time that cannot be.
    """
    values = _values(_vouched_for(raw))
    t_ms = _time_ms(values.get(_TIME, ""))
    if not now_ms - BEHIND_MS_MAX <= t_ms <= now_ms + CLOCK_AHEAD_MS_MAX:
        raise BadReading("the meter's clock is not that of the day")
    taken, fed_in = (_number(values, name, "kW") for name in (_TAKEN_NOW, _FED_IN_NOW))
    registers = [
        found for name in _IMPORTED if (found := _number(values, name, "kWh")) is not None
    ]
    if taken is None and not registers:
        raise BadReading("neither power nor energy is in it")
    return Measurement(
        device_id,
        t_ms,
        u_mv=_scaled(_number(values, _VOLTAGE, "V"), MILLI),
        i_ma=_scaled(_number(values, _CURRENT, "A"), MILLI),
        p_mw=None if taken is None else _scaled(taken - (fed_in or 0), MICRO),
        energy_wh=_scaled(sum(registers, Decimal(0)), MILLI) if registers else None,
    )


def checksum(data: bytes) -> int:
    """CRC-16/ARC of everything from `/` to `!`, both included."""
    found = 0
    for byte in data:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ _POLYNOMIAL if found & 1 else found >> 1
    return found


def _vouched_for(raw: bytes) -> str:
    if len(raw) > TELEGRAM_BYTES_MAX:
        raise BadReading(f"more than {TELEGRAM_BYTES_MAX} bytes")
    begin, end = raw.find(b"/"), raw.rfind(b"!")
    told = raw[end + 1 : end + 5]
    if begin < 0 or end < begin or not re.fullmatch(rb"[0-9A-Fa-f]{4}", told):
        raise BadReading("no telegram with a checksum")
    body = raw[begin : end + 1]
    if checksum(body) != int(told, 16):
        raise BadReading("the checksum is wrong")
    return body.decode("ascii", errors="replace")


def _values(text: str) -> dict[str, str]:
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return {line[1]: line[2] for line in found if line is not None}


def _time_ms(text: str) -> int:
    if not re.fullmatch(r"\d{12}[SW]", text):
        raise BadReading("the telegram has no time")
    try:
        local = datetime.strptime(text[:12], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadReading("the telegram's time is no time") from error
    return int((local - timedelta(hours=_UTC_OFFSET_HOURS[text[12]])).timestamp() * 1_000)


def _number(values: dict[str, str], name: str, unit: str) -> Decimal | None:
    found = _VALUE.fullmatch(values.get(name, ""))
    return Decimal(found[1]) if found is not None and found[2] == unit else None


def _scaled(value: Decimal | None, factor: int) -> int | None:
    """None for what is not known, or out of range."""
    number = None if value is None else int(value * factor)
    return number if number is not None and abs(number) <= MILLI_MAX else None

"""A P1 telegram counts only as its checksum vouches for it, at the meter's own time."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.hems.service import Inbox
from gateway.mqtt.adapters import P1Meters
from gateway.mqtt.p1_telegram import checksum, read_telegram
from gateway.mqtt.reading import BadReading

NOW_MS = int(datetime(2026, 1, 15, 9, 30, 25, tzinfo=UTC).timestamp() * 1_000)
LINES = {
    "1-3:0.2.8": "50",
    "0-0:1.0.0": "260115103020W",
    "0-0:96.1.1": "4B384547303034303436333935353037",
    "1-0:1.8.1": "001234.567*kWh",
    "1-0:1.8.2": "000765.433*kWh",
    "1-0:2.8.1": "000100.000*kWh",
    "1-0:2.8.2": "000000.000*kWh",
    "1-0:1.7.0": "00.000*kW",
    "1-0:2.7.0": "01.193*kW",
    "1-0:32.7.0": "230.1*V",
    "1-0:31.7.0": "005*A",
}


def telegram(lines: dict[str, str] = LINES) -> bytes:
    """With its checksum; a line without a value is left out."""
    body = ["/ISK5\\2M550T-1012", "", *(f"{k}({v})" for k, v in lines.items() if v), "!"]
    data = "\r\n".join(body).encode()
    return data + f"{checksum(data):04X}\r\n".encode()


def changed(name: str, value: str) -> bytes:
    return telegram(LINES | {name: value})


def read(raw: bytes):
    return read_telegram(raw, device_id="meter-3", now_ms=NOW_MS)


def test_the_checksum_is_the_standards():
    """CRC-16/ARC has a published check value."""
    assert checksum(b"123456789") == 0xBB3D


def test_a_telegram_is_power_energy_voltage_at_the_meters_time():
    found = read(telegram())
    meter_time = datetime(2026, 1, 15, 10, 30, 20, tzinfo=UTC) - timedelta(hours=1)
    assert found.t_ms == int(meter_time.timestamp() * 1_000)
    assert (found.p_mw, found.energy_wh) == (-1_193_000, 2_000_000)
    assert (found.u_mv, found.i_ma) == (230_100, 5_000)


def test_summer_time_is_two_hours_ahead():
    summer_ms = int(datetime(2026, 7, 1, 10, 0, tzinfo=UTC).timestamp() * 1_000)
    raw = changed("0-0:1.0.0", "260701120000S")
    assert read_telegram(raw, device_id="m", now_ms=summer_ms).t_ms == summer_ms


def test_every_altered_byte_is_found():
    raw = telegram()
    for at in range(len(raw) - 2):
        altered = raw[:at] + bytes((raw[at] ^ 0x01,)) + raw[at + 1 :]
        with pytest.raises(BadReading):
            read(altered)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"/only!",
        b"!0000/",
        telegram()[:-6],
        telegram() * 20,
        changed("0-0:1.0.0", "261399103020W"),
        changed("0-0:1.0.0", ""),
        changed("0-0:1.0.0", "260115113020W"),
        changed("0-0:1.0.0", "260113103020W"),
        b"/x\r\n!" + f"{checksum(b'/x' + bytes((13, 10)) + b'!'):04X}".encode(),
    ],
)
def test_what_is_no_telegram_of_this_day_is_refused(raw):
    with pytest.raises(BadReading):
        read(raw)


def test_a_value_in_another_unit_is_not_guessed():
    assert read(changed("1-0:32.7.0", "230.1*kWh")).u_mv is None


def test_the_adapter_takes_its_readers_only():
    adapter, inbox = P1Meters({"p1-reader": "meter-3"}), Inbox()
    assert adapter.take("p1-reader/telegram", telegram(), inbox, NOW_MS)
    assert [found.device_id for found in inbox.measurements] == ["meter-3"]
    assert adapter.take("p1-reader/telegram", telegram()[:-3], inbox, NOW_MS)
    assert inbox.refused == {"meter-3": 1}
    assert not adapter.take("other/telegram", telegram(), inbox, NOW_MS)
    assert adapter.topics == {"meter-3": ["p1-reader/telegram"]}
    assert adapter.switches == {}

"""Readings once each, in any order; what cannot be true is set aside with its reason."""

import json
from dataclasses import asdict

import pytest
from sqlalchemy import event, select

from gateway.hems.plausibility import COPIES_MAX, Limits
from gateway.hems.series import Gap
from gateway.hems.tables import ReadingRow, SetAsideRow
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.device_messages import encode_stored
from gateway.mqtt.reading_check import Attesting
from ledger.crypto.signing import Signer
from tests.unit.gateway.metering.data_service import NOON_MS, QUARTER_MS, Keys, Scene
from tests.vectors import make_readings

DAY_MS = 24 * 3_600_000
VECTORS = json.loads(make_readings.PATH.read_text(encoding="utf-8"))
ATTESTING = Attesting(Signer(make_readings.GATEWAY_KEY), {"meter-a": make_readings.SHARED_KEY})


class VectorKeys:
    """The ledger's keys of the meters in the vectors."""

    def public_key(self, meter_id):
        signing = {"meter-a": make_readings.GATEWAY_KEY, "meter-b": make_readings.METER_KEY}
        return signing[meter_id].public_key()


def scene_of(*meters: VirtualMeter) -> Scene:
    return Scene(Keys(*meters))


def reading_after(scene: Scene, meter: VirtualMeter, *, load_wh: int = 100) -> bytes:
    scene.now_ms += QUARTER_MS
    meter.run_hour(load_wh=load_wh, pv_wh=0)
    return scene.read(meter)


def stored(scene: Scene) -> list[int]:
    with scene.database.reading() as connection:
        return list(connection.execute(select(ReadingRow.seq).order_by(ReadingRow.row)).scalars())


def doubts(scene: Scene) -> list[str]:
    with scene.database.reading() as connection:
        return list(connection.execute(select(SetAsideRow.doubt)).scalars())


def test_a_reading_counts_once_however_often_it_comes():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    message = ("m-1/reading", reading_after(scene, meter))
    kept = scene.hear(message, message)
    assert (len(kept.accepted), len(kept.copies)) == (1, 1)
    scene.restart()
    again = scene.hear(message)
    assert (len(again.accepted), len(again.copies), again.set_aside) == (0, 1, [])
    assert stored(scene) == [1]


def test_a_reading_that_is_called_stored_survives_a_power_cut():
    """SQLite syncs the commit that has the readings: level FULL, which is 2."""
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    levels = []

    @event.listens_for(scene.database.engine, "before_cursor_execute")
    def level(_connection, cursor, statement, *_others):
        if statement.startswith("INSERT INTO hems_readings"):
            cursor.execute("PRAGMA synchronous")
            levels.append(cursor.fetchone()[0])

    assert len(scene.hear_reading(meter).accepted) == 1
    assert levels == [2]


def test_readings_out_of_order_are_all_kept_and_late_ones_flagged():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    messages = [("m-1/reading", reading_after(scene, meter)) for _ in range(6)]
    for number in (0, 5, 2, 4, 1, 3):
        assert len(scene.hear(messages[number]).accepted) == 1
    assert stored(scene) == [1, 6, 3, 5, 2, 4]
    with scene.database.reading() as connection:
        late = dict(connection.execute(select(ReadingRow.seq, ReadingRow.is_late)).all())
    assert late == {1: 1, 2: 1, 3: 1, 4: 1, 5: 0, 6: 0}
    in_time = scene.stores.series.between("m-1", 0, scene.now_ms)
    assert [reading.seq for reading in in_time] == [1, 2, 3, 4, 5, 6]


@pytest.mark.row("E070")
@pytest.mark.parametrize("minutes", [15, 5, 60])
def test_a_series_shows_a_reading_of_each_interval_and_names_gaps(minutes):
    """Fifteen minutes, or what the community says (`hems.interval_ms`)."""
    interval_ms = minutes * 60_000
    meter = VirtualMeter("m-1")
    scene = Scene(Keys(meter), limits=Limits(interval_ms=interval_ms))
    messages = []
    for _ in range(8):
        scene.now_ms += interval_ms
        messages.append(("m-1/reading", scene.read(meter)))
    scene.hear(*messages[:3], *messages[5:])
    series = scene.stores.series
    shown = series.between("m-1", 0, scene.now_ms)
    assert [found.t_end_ms for found in shown] == [
        NOON_MS + interval_ms * number for number in (1, 2, 3, 6, 7, 8)
    ]
    (gap,) = series.gaps("m-1", 0, scene.now_ms)
    assert (gap.first_seq, gap.last_seq) == (4, 5)
    assert (gap.from_ms, gap.to_ms) == (NOON_MS + 3 * interval_ms, NOON_MS + 6 * interval_ms)
    scene.hear(*messages[3:5])
    assert series.gaps("m-1", 0, scene.now_ms) == []
    assert series.open_gap("m-1", 0, scene.now_ms + interval_ms) is None
    assert series.open_gap("m-1", 0, scene.now_ms + 3 * interval_ms) is not None


def test_a_gap_at_the_end_of_the_asked_time_is_named_as_long_as_it_is_open():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    series = scene.stores.series
    assert series.open_gap("m-1", 0, scene.now_ms) is None, "nothing was ever due"
    scene.hear(("m-1/reading", reading_after(scene, meter)))
    last_ms = scene.now_ms
    assert series.open_gap("m-1", 0, last_ms + QUARTER_MS * 3 // 2) is None, "it may be late"
    to_ms = last_ms + 4 * QUARTER_MS
    assert series.open_gap("m-1", 0, to_ms) == Gap("m-1", 2, None, last_ms, to_ms)
    from_ms = last_ms + QUARTER_MS
    assert series.open_gap("m-1", from_ms, to_ms) == Gap("m-1", 2, None, from_ms, to_ms)
    scene.now_ms = to_ms
    meter.read(0)
    scene.hear(("m-1/reading", scene.read(meter)))
    assert series.open_gap("m-1", 0, to_ms) is None
    assert [gap.last_seq for gap in series.gaps("m-1", 0, to_ms)] == [2]


def test_a_gap_that_began_before_the_asked_time_begins_with_it():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    series = scene.stores.series
    scene.hear(("m-1/reading", reading_after(scene, meter)))
    silent_from_ms = scene.now_ms
    scene.now_ms += 30 * 3_600_000
    meter.read(0)
    scene.hear(("m-1/reading", scene.read(meter)))
    back_ms, now_ms = scene.now_ms, scene.now_ms + QUARTER_MS
    from_ms = now_ms - DAY_MS
    assert series.gaps("m-1", from_ms, now_ms) == [Gap("m-1", 2, 2, from_ms, back_ms)]
    assert series.gaps("m-1", silent_from_ms, now_ms)[0].from_ms == silent_from_ms
    assert series.gaps("m-1", back_ms - QUARTER_MS, now_ms) == [], "what is missing is older"
    assert series.gaps("m-1", back_ms, now_ms) == []


@pytest.mark.row("E071")
def test_each_altered_bit_of_a_reading_is_set_aside_with_one_alarm():
    """Every bit of every byte of the message, one at a time; then the true one."""
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    good = reading_after(scene, meter)
    altered = [
        good[:position] + bytes((byte ^ 1 << bit,)) + good[position + 1 :]
        for position, byte in enumerate(good)
        for bit in range(8)
    ]
    kept = scene.hear(*(("m-1/reading", raw) for raw in altered))
    assert kept.accepted == []
    assert len(kept.set_aside) == len(altered) == 8 * len(good)
    assert stored(scene) == []
    assert [(alarm.kind, alarm.device_id) for alarm in scene.alarms] == [("set_aside", "m-1")]
    assert len(scene.hear(("m-1/reading", good)).accepted) == 1


@pytest.mark.parametrize("entry", VECTORS["readings"], ids=lambda entry: entry["message"][:40])
def test_gateway_and_devices_agree_on_the_frozen_readings(entry):
    scene = Scene(VectorKeys(), limits=Limits(connection_w_max=10**16), attesting=ATTESTING)
    scene.now_ms = entry["reading"]["t_end_ms"]
    kept = scene.hear((f"{entry['reading']['meter_id']}/reading", entry["message"].encode()))
    expected = entry["attested_sig"] if entry["tier"] == "A" else entry["sig"]
    (accepted,) = kept.accepted
    assert asdict(accepted) == entry["reading"] | {"signature": accepted.signature}
    if entry["tier"] == "B":
        assert accepted.signature == expected


def test_a_secret_that_is_not_the_devices_attests_nothing():
    message = VECTORS["readings"][0]["message"].encode()
    others = Attesting(Signer(make_readings.GATEWAY_KEY), {"meter-a": bytes(32)})
    scene = Scene(VectorKeys(), attesting=others, now_ms=1_767_225_600_000)
    scene.hear(("meter-a/reading", message))
    assert doubts(scene) == ["bad_signature"]


@pytest.mark.parametrize("forgery", VECTORS["forgeries"], ids=lambda entry: entry["name"])
def test_frozen_forgeries_are_set_aside(forgery):
    scene = Scene(VectorKeys(), attesting=ATTESTING, now_ms=1_767_225_600_000)
    assert scene.hear(("meter-b/reading", forgery["message"].encode())).accepted == []
    assert len(doubts(scene)) == 1


def test_a_reading_of_a_foreign_meter():
    meter, other, stranger = VirtualMeter("m-1"), VirtualMeter("m-2"), VirtualMeter("m-3")
    scene = scene_of(meter, other)
    scene.hear(("m-1/reading", scene.read(other)))
    scene.hear(("m-3/reading", scene.read(stranger)))
    impostor = VirtualMeter("m-1")
    scene.hear(("m-1/reading", scene.read(impostor)))
    assert doubts(scene) == ["foreign_meter", "unknown_meter", "bad_signature"]
    assert {alarm.device_id for alarm in scene.alarms} == {"m-1", "m-3"}


@pytest.mark.parametrize(
    ("off_ms", "doubt"), [(DAY_MS, "clock_ahead"), (-DAY_MS - 1, "clock_behind")]
)
def test_a_clock_that_is_a_day_off(off_ms, doubt):
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    scene.hear(("m-1/reading", scene.read(meter, t_end_ms=scene.now_ms + off_ms)))
    assert doubts(scene) == [doubt]
    assert scene.alarms[0].detail.startswith(doubt)


def test_a_clock_that_jumps_between_two_readings():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    scene.hear_reading(meter)
    scene.now_ms += QUARTER_MS
    scene.hear(("m-1/reading", scene.read(meter, t_end_ms=scene.now_ms - DAY_MS + QUARTER_MS)))
    assert doubts(scene) == ["clock_order"]


def test_registers_that_jump():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    scene.hear(("m-1/reading", reading_after(scene, meter, load_wh=5_000)))
    scene.hear(("m-1/reading", reading_after(scene, meter, load_wh=100_000)))
    assert doubts(scene) == ["register_jump"]
    assert stored(scene) == [1]


def test_registers_that_go_back():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    scene.hear(("m-1/reading", reading_after(scene, meter, load_wh=5_000)))
    reset = VirtualMeter("m-1", meter.private_key)
    reset.read(0)
    scene.hear(("m-1/reading", reading_after(scene, reset, load_wh=100)))
    assert doubts(scene) == ["register_back"]
    assert stored(scene) == [1]


def test_a_late_reading_is_compared_with_both_neighbours():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    messages = [("m-1/reading", reading_after(scene, meter)) for _ in range(2)]
    liar = VirtualMeter("m-1", meter.private_key)
    liar.run_hour(load_wh=9_000, pv_wh=0)
    liar.read(0)
    between = liar.message(liar.read(scene.now_ms - 60_000))
    last = ("m-1/reading", reading_after(scene, meter))
    scene.hear(messages[0], last)
    scene.hear(("m-1/reading", between))
    assert doubts(scene) == ["register_back"]


def test_another_reading_under_a_number_that_is_taken():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    scene.hear_reading(meter)
    twin = VirtualMeter("m-1", meter.private_key)
    twin.run_hour(load_wh=1, pv_wh=0)
    scene.hear_reading(twin)
    assert doubts(scene) == ["conflicting"]


def test_a_copy_long_after_it_was_stored_is_a_replay():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    message = ("m-1/reading", scene.read(meter))
    scene.now_ms += 1
    scene.hear(message)
    scene.now_ms += Limits().copy_ms_max
    assert len(scene.hear(message).copies) == 1
    scene.now_ms += 1
    assert scene.hear(message).copies == []
    assert doubts(scene) == ["replayed"]
    assert [alarm.kind for alarm in scene.alarms] == ["set_aside"]


def test_a_device_that_was_away_sends_what_it_still_has_and_that_is_no_replay():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    message = ("m-1/reading", scene.read(meter))
    scene.hear(message)
    scene.now_ms += 2 * 3_600_000
    online = b'{"v":1,"d":"m-1","state":"online","outbox":1}'
    scene.hear(("m-1/state", online))
    assert len(scene.hear(message).copies) == 1
    assert scene.alarms == []


def test_endless_copies_are_a_replay():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    message = ("m-1/reading", scene.read(meter))
    for _ in range(COPIES_MAX + 1):
        assert scene.hear(message).set_aside == []
    assert len(scene.hear(message).set_aside) == 1


def test_what_is_set_aside_again_and_again_is_kept_once():
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    for _ in range(3):
        scene.hear(("m-1/reading", b"nonsense"))
    assert doubts(scene) == ["malformed"]
    assert len(scene.alarms) == 1
    assert scene.stores.devices.get("m-1").refused == 3


def test_a_batch_that_cannot_be_stored_leaves_nothing_behind(monkeypatch):
    meter = VirtualMeter("m-1")
    scene = scene_of(meter)
    message = ("m-1/reading", scene.read(meter))
    scene.database.engine.dispose()
    with scene.database.writing() as blocking:
        blocking.exec_driver_sql("DROP TABLE hems_readings")
        blocking.exec_driver_sql("CREATE TABLE hems_readings (row INTEGER)")
    with pytest.raises(Exception, match="no such column"):
        scene.hear(message)
    assert scene.alarms == []


def test_stored_names_ranges_of_numbers():
    meter = VirtualMeter("m-1")
    readings = [meter.read(number) for number in range(1, 8)]
    chosen = [readings[index] for index in (2, 0, 1, 5)]
    assert json.loads(encode_stored(chosen)) == {"v": 1, "m": "m-1", "seqs": [[1, 3], [6, 6]]}

"""Alarms: once, cleared on return, also across restarts; irregular loads; availability."""

import json

import pytest
from sqlalchemy import event, select

from gateway.hems.alarms import ALARMS_PER_PAGE_MAX, AlarmBook, AlarmKind
from gateway.hems.availability import availability
from gateway.hems.measurements import irregular_against
from gateway.hems.service import GOOD_READINGS_TO_CLEAR, HemsService
from gateway.hems.tables import WaitRow
from gateway.hems.virtual_meter import VirtualMeter
from gateway.hems.waits import WaitBook
from gateway.local_time import fixed
from gateway.mqtt.refusal_log import LINES_PER_MINUTE_MAX
from tests.support.gateway_database import fresh_database
from tests.unit.gateway.metering.data_service import (
    COMMUNITY,
    NOON_MS,
    QUARTER_MS,
    SILENT_AFTER_MS,
    Keys,
    Scene,
)

DAY_MS = 24 * 3_600_000


def kettle(t_ms: int, watts: int) -> tuple[str, bytes]:
    content = {"v": 1, "d": "kettle", "t": t_ms, "p_mw": watts * 1_000}
    return "kettle/measure", json.dumps(content).encode()


def told(scene: Scene) -> list[tuple[str, str, bool]]:
    return [(found.kind, found.device_id, found.cleared_ms is None) for found in scene.alarms]


def test_a_silent_meter_raises_one_alarm_that_its_return_clears():
    meter, other = VirtualMeter("m-1"), VirtualMeter("m-2")
    scene = Scene(Keys(meter, other))
    scene.hear_reading(meter)
    scene.now_ms += SILENT_AFTER_MS
    scene.hear_reading(other)
    assert scene.service.watch(scene.now_ms) == []
    scene.now_ms += 1
    scene.service.watch(scene.now_ms)
    scene.now_ms += SILENT_AFTER_MS // 2
    scene.service.watch(scene.now_ms)
    scene.restart()
    scene.service.watch(scene.now_ms)
    assert told(scene) == [("silent", "m-1", True)]
    scene.hear_reading(meter)
    assert told(scene)[1:] == [("silent", "m-1", False)]
    assert scene.stores.alarms.standing() == []
    assert [alarm.cleared_ms for alarm in scene.stores.alarms.all()] == [scene.now_ms]


def test_a_node_that_doubts_its_time_raises_one_alarm_until_it_does_not():
    scene = Scene(Keys())

    def say(**said: object) -> None:
        content = {"v": 1, "d": "node-1", "state": "online", **said}
        scene.hear(("node-1/state", json.dumps(content).encode()))

    for word in ("ok", "waiting", "ok", "waiting"):  # back after hours: no fault of anybody
        say(clock=word)
        assert told(scene) == []
    for _ in range(2):
        say(clock="doubted")
        assert told(scene) == [("clock", "node-1", True)]
    say()  # of a node before this was told: no answer either way
    assert [device.refused for device in scene.stores.devices.all()] == [0]
    say(clock="sure")
    assert [device.refused for device in scene.stores.devices.all()] == [1]
    say(clock="waiting")  # it was reset meanwhile, and knows no more than before
    assert told(scene) == [("clock", "node-1", True)]
    say(clock="ok")
    assert told(scene)[1:] == [("clock", "node-1", False)]


def test_a_sensor_that_is_not_to_be_trusted_raises_one_alarm_until_an_interval_is_without():
    scene = Scene(Keys())

    def measure(*flags: str, after_ms: int = 10_000) -> None:
        scene.now_ms += after_ms
        content = {"v": 1, "d": "node-1", "t": scene.now_ms, "p_mw": 5_000, "flags": flags}
        scene.hear(("node-1/measure", json.dumps(content).encode()))

    measure()
    assert told(scene) == []
    measure("i_saturated", "uncalibrated")
    assert told(scene) == [("sensor", "node-1", True)]
    assert scene.alarms[0].detail == "i_saturated, uncalibrated"
    for _ in range(3):  # a load at the end of the clamp's range comes and goes
        measure()
        measure("i_saturated")
    assert len(scene.alarms) == 1
    measure(after_ms=QUARTER_MS - 1)
    assert len(scene.alarms) == 1
    measure(after_ms=1)
    assert told(scene)[1:] == [("sensor", "node-1", False)]
    measure("uncalibrated")
    scene.restart()
    measure()
    assert told(scene)[2:] == [("sensor", "node-1", True), ("sensor", "node-1", False)]


@pytest.mark.row("E075")
def test_a_meter_that_was_never_heard_is_silent_after_its_time_too():
    """It is approved on the ledger, so readings are due; nobody has heard of it."""
    meter = VirtualMeter("m-1")
    approved = ["m-1"]
    scene = Scene(Keys(meter), expected=lambda: approved)
    scene.service.watch(scene.now_ms)
    scene.now_ms += SILENT_AFTER_MS
    assert scene.service.watch(scene.now_ms) == []
    scene.now_ms += 1
    for _ in range(2):
        scene.service.watch(scene.now_ms)
    assert told(scene) == [("silent", "m-1", True)]
    assert scene.alarms[0].detail == "never heard yet"
    scene.hear_reading(meter)
    assert told(scene)[1:] == [("silent", "m-1", False)]
    approved.append("m-2")
    scene.service.watch(scene.now_ms)
    scene.now_ms += SILENT_AFTER_MS
    scene.hear_reading(meter)
    assert scene.service.watch(scene.now_ms) == [], "its time begins when it is approved"
    approved.remove("m-2")
    scene.service.watch(scene.now_ms)
    scene.now_ms += DAY_MS
    approved.append("m-2")
    scene.hear_reading(meter)
    assert scene.service.watch(scene.now_ms) == [], "and when it is approved again"


def test_every_refused_message_is_logged_without_its_content_and_not_without_end(caplog):
    bound, unbound = VirtualMeter("m-1"), VirtualMeter("m-1")
    scene = Scene(Keys(bound))
    rubbish = (f"rec/{COMMUNITY}/m-1/measure", b"rubbish")
    scene.collector.keep([(f"rec/{COMMUNITY}/m-1/reading", scene.read(unbound)), rubbish])
    assert [line.partition(": ")[0] for line in caplog.messages] == [
        "measure of m-1 refused",
        "reading of m-1 refused",
    ]
    assert "bad_signature" in caplog.messages[1]
    assert "rubbish" not in caplog.text
    for _ in range(LINES_PER_MINUTE_MAX):
        scene.collector.keep([rubbish])
    assert len(caplog.messages) == LINES_PER_MINUTE_MAX
    scene.now_ms += 60_000
    scene.collector.keep([rubbish])
    assert caplog.messages[-2:] == ["2 more messages were refused", caplog.messages[-1]]


def test_a_last_will_is_no_sign_of_life():
    meter = VirtualMeter("m-1")
    scene = Scene(Keys(meter))
    scene.hear_reading(meter)
    scene.now_ms += SILENT_AFTER_MS + 1
    scene.hear(("m-1/state", b'{"v":1,"d":"m-1","state":"lost"}'))
    scene.service.watch(scene.now_ms)
    assert told(scene) == [("silent", "m-1", True)]
    assert scene.stores.devices.get("m-1").state == "lost"


@pytest.mark.parametrize(("watts", "is_alarm"), [(2_000, False), (4_900, False), (6_000, True)])
def test_a_kettle_at_three_times_its_usual_power_is_an_alarm(watts, is_alarm):
    scene = Scene(Keys())
    for minute in range(30):
        scene.hear(kettle(NOON_MS + minute * 60_000, 2_000 if minute % 2 else 0))
    for minute in range(30, 60):
        scene.hear(kettle(NOON_MS + minute * 60_000, 2_000))
    scene.hear(kettle(NOON_MS + 3_600_000, watts))
    assert told(scene) == ([("irregular_load", "kettle", True)] if is_alarm else [])
    if is_alarm:
        assert scene.alarms[0].detail == "6000 W, usually 2000 W"
        scene.hear(kettle(NOON_MS + 3_660_000, 2_000))
        assert told(scene)[1:] == [("irregular_load", "kettle", False)]


def test_what_a_meter_of_a_whole_home_takes_is_never_irregular():
    scene = Scene(Keys())
    scene.service = HemsService(
        scene.stores,
        silent_after_ms=SILENT_AFTER_MS,
        on_alarm=scene.alarms.append,
        is_appliance=lambda device_id: device_id != "kettle",
    )
    for minute in range(60):
        scene.hear(kettle(NOON_MS + minute * 60_000, 2_000))
    scene.hear(kettle(NOON_MS + 3_600_000, 6_000))
    assert told(scene) == []


def test_an_alarm_of_a_doubted_reading_ends_after_some_good_ones_in_a_row():
    meter = VirtualMeter("m-1")
    scene = Scene(Keys(meter))

    def hear_good(count: int) -> None:
        for _ in range(count):
            scene.now_ms += QUARTER_MS
            scene.hear_reading(meter)

    doubted = ("m-1/reading", b"{")
    hear_good(1)
    scene.hear(doubted)
    hear_good(GOOD_READINGS_TO_CLEAR - 1)
    scene.hear(doubted)
    hear_good(GOOD_READINGS_TO_CLEAR - 1)
    assert told(scene) == [("set_aside", "m-1", True)]
    hear_good(2)
    assert told(scene)[1:] == [("set_aside", "m-1", False)]


def test_more_alarms_than_a_page_holds_are_known_after_a_restart():
    scene = Scene(Keys())
    names = [f"m-{number:03}" for number in range(ALARMS_PER_PAGE_MAX + 1)]
    scene.stores.alarms.raise_once(AlarmKind.SILENT, names, "", scene.now_ms)
    book = AlarmBook(scene.database)
    assert len(book.standing()) == len(names)
    assert book.raise_once(AlarmKind.SILENT, names, "", scene.now_ms) == []
    assert len(book.clear(AlarmKind.SILENT, names, scene.now_ms)) == len(names)
    assert len(book.all()) == ALARMS_PER_PAGE_MAX


def test_an_unknown_appliance_has_no_usual_power():
    assert irregular_against(9_000_000, [1_000_000] * 19) is None
    assert irregular_against(9_000_000, [1_000_000] * 20) == 1_000_000
    assert irregular_against(2_499_999, [1_000_000] * 20) is None


def test_percent_of_expected_readings_equals_a_manual_count():
    midnight = NOON_MS - 12 * 3_600_000
    ends = [midnight + QUARTER_MS * number for number in range(1, 97) if number % 4]
    ends += [midnight + DAY_MS + QUARTER_MS, midnight + DAY_MS + QUARTER_MS]
    days = availability(
        ends, from_ms=midnight, to_ms=midnight + DAY_MS + 4 * QUARTER_MS, interval_ms=QUARTER_MS
    )
    assert [(day.expected, day.received, day.permille) for day in days] == [
        (96, 72, 750),
        (4, 1, 250),
    ]


def test_a_day_is_the_communitys_own():
    midnight = NOON_MS - 12 * 3_600_000
    days = availability(
        [],
        from_ms=midnight,
        to_ms=midnight + DAY_MS,
        interval_ms=QUARTER_MS,
        local=fixed(-180),
    )
    assert [day.expected for day in days] == [12, 84]


def test_what_nobody_could_hear_while_the_broker_was_away_is_no_silence():
    meter = VirtualMeter("m-1")
    scene = Scene(Keys(meter))
    scene.hear_reading(meter)
    scene.now_ms += 3 * SILENT_AFTER_MS
    scene.service.listening(scene.now_ms)
    assert scene.service.watch(scene.now_ms) == []
    scene.now_ms += SILENT_AFTER_MS + 1
    scene.service.watch(scene.now_ms)
    assert told(scene) == [("silent", "m-1", True)]


@pytest.mark.parametrize("break_ms", [60_000, QUARTER_MS - 60_000])
def test_restarts_put_no_alarm_of_a_silent_meter_off(break_ms):
    """Each comes before the wait is over, and the gateway is away for no more than an interval."""
    meter = VirtualMeter("m-1")
    scene = Scene(Keys(meter), expected=lambda: ["m-1", "m-2"])
    scene.service.listening(scene.now_ms)
    scene.hear_reading(meter)
    ends_ms = scene.now_ms + SILENT_AFTER_MS + 2 * QUARTER_MS
    while scene.now_ms < ends_ms:
        for _ in range(10):
            scene.service.watch(scene.now_ms)
            scene.now_ms += 60_000
        scene.now_ms += break_ms
        scene.restart()
        scene.service.listening(scene.now_ms)
    scene.service.watch(scene.now_ms)
    assert sorted(told(scene)) == [("silent", "m-1", True), ("silent", "m-2", True)]


def test_after_a_long_break_the_wait_for_meters_begins_anew():
    meter = VirtualMeter("m-1")
    scene = Scene(Keys(meter), expected=lambda: ["m-1", "m-2"])
    scene.service.listening(scene.now_ms)
    scene.hear_reading(meter)
    scene.service.watch(scene.now_ms)
    scene.now_ms += SILENT_AFTER_MS + QUARTER_MS
    scene.restart()
    scene.service.listening(scene.now_ms)
    assert scene.service.watch(scene.now_ms) == []
    scene.now_ms += SILENT_AFTER_MS
    assert scene.service.watch(scene.now_ms) == []
    scene.now_ms += 1
    assert len(scene.service.watch(scene.now_ms)) == 2


def test_what_a_device_says_it_dropped_is_kept_and_each_more_is_told(caplog):
    scene = Scene(Keys())

    def says(count: int) -> None:
        state = f'{{"v":1,"d":"node-1","state":"online","dropped":{count}}}'
        scene.hear(("node-1/state", state.encode()))

    for count in (0, 3, 3, 5):
        says(count)
    scene.restart()
    says(5)
    assert scene.stores.devices.get("node-1").dropped == 5
    says(0)  # it has begun again
    says(2)
    assert [line for line in caplog.messages if "dropped" in line] == [
        "node-1 dropped 3 messages or readings, 3 since it started",
        "node-1 dropped 2 messages or readings, 5 since it started",
        "node-1 dropped 2 messages or readings, 2 since it started",
    ]


def test_many_meters_that_were_never_heard_cost_one_transaction_and_no_row_for_ever():
    expected = [f"m-{number}" for number in range(300)]
    scene = Scene(Keys(), expected=lambda: expected)
    written = []

    def note(connection, cursor, statement, *_) -> None:
        if statement.startswith("BEGIN IMMEDIATE"):
            written.append(statement)

    event.listen(scene.database.engine, "before_cursor_execute", note)
    scene.service.watch(scene.now_ms)
    assert len(written) == 1
    scene.service.watch(scene.now_ms + 1_000)
    assert len(written) == 1
    del expected[1:]
    scene.now_ms += DAY_MS
    scene.service.watch(scene.now_ms)
    with scene.database.reading() as connection:
        assert connection.execute(select(WaitRow.name)).scalars().all() == ["m-0"]


def test_a_wait_goes_on_over_a_break_in_which_nobody_said_what_is_expected():
    """As while a copy of the ledger is made anew."""
    expected = ["m-1"]
    scene = Scene(Keys(), expected=lambda: expected)
    scene.service.watch(scene.now_ms)
    expected.clear()
    scene.restart()
    scene.service.watch(scene.now_ms + 1_000)
    expected.append("m-1")
    scene.service.watch(scene.now_ms + 2_000)
    assert scene.stores.waits.since_ms("m-1", scene.now_ms + 2_000) == scene.now_ms


def test_two_processes_note_the_same_wait():
    database = fresh_database()
    books = [WaitBook(database, break_ms_max=60_000) for _ in range(2)]
    for book in books:
        assert book.all_since_ms(["m-1", "m-2"], NOON_MS) == {"m-1": NOON_MS, "m-2": NOON_MS}

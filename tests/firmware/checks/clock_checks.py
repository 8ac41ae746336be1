"""The time of day: told by nobody who signs it, so believed with care."""

from meternode.clock import (
    AWAY_MS_MAX,
    BACK_TOLD_MS,
    DOUBTED,
    OK,
    SAME_MS_MAX,
    STEP_EVERY_MS,
    STEP_MS_MAX,
    STEP_TIMES_MIN,
    STEP_TOLD_MS,
    STEP_TOLERANCE_MS,
    WAIT_MS_MAX,
    WAITING,
    Clock,
)
from meternode.flash import Record
from world import START_MS, Ticks, World, sent, tell_time

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def check_a_small_difference_is_followed_and_a_smaller_one_ignored():
    for off_ms, followed in ((STEP_TOLERANCE_MS, 0), (2_001, 2_001), (-2_001, -2_001)):
        _, clock = started()
        clock.follow(START_MS + off_ms)
        assert clock.now_ms() == START_MS + followed, off_ms
    _, clock = started()
    clock.follow(START_MS + STEP_MS_MAX)
    assert clock.now_ms() == START_MS + STEP_MS_MAX


def check_many_small_steps_steer_a_clock_by_a_minute_an_hour_at_most():
    ticks, clock = started()
    for _ in range(600):
        ticks.now += 1_000
        clock.follow(clock.now_ms() + STEP_MS_MAX)
    assert clock.now_ms() - START_MS - ticks.now == STEP_MS_MAX
    assert clock.standing() == OK
    ticks.now += STEP_EVERY_MS
    clock.follow(clock.now_ms() + STEP_MS_MAX)
    assert clock.now_ms() - START_MS - ticks.now == 2 * STEP_MS_MAX


def check_a_large_step_is_doubted_until_nothing_else_was_told_for_ten_minutes():
    for off_ms in (STEP_MS_MAX + 1, HOUR_MS, -HOUR_MS, 400 * 24 * HOUR_MS):
        ticks, clock = started()
        for minute in range(STEP_TOLD_MS // MINUTE_MS):
            clock.follow(START_MS + ticks.now + off_ms + minute * 100)
            assert clock.now_ms() == START_MS + ticks.now, (off_ms, minute)
            assert clock.standing() == DOUBTED
            ticks.now += MINUTE_MS
        clock.follow(START_MS + ticks.now + off_ms)
        assert clock.now_ms() == START_MS + ticks.now + off_ms
        assert clock.standing() == OK


def check_a_time_told_often_but_not_long_or_long_but_not_often_is_not_believed():
    ticks, clock = started()
    for _ in range(1_000):
        clock.follow(START_MS + ticks.now + HOUR_MS)
        ticks.now += 100
    assert clock.now_ms() == START_MS + ticks.now
    ticks, clock = started()
    for _ in range(STEP_TIMES_MIN - 1):
        clock.follow(START_MS + ticks.now + HOUR_MS)
        ticks.now += STEP_TOLD_MS
    assert clock.now_ms() == START_MS + ticks.now


def check_one_true_time_between_false_ones_begins_the_wait_anew():
    ticks, clock = started()
    for minute in range(60):
        off_ms = 0 if minute % 9 == 8 else HOUR_MS
        clock.follow(START_MS + ticks.now + off_ms)
        assert clock.standing() == (DOUBTED if off_ms else OK)
        ticks.now += MINUTE_MS
    for minute in range(60):  # and so does another false one
        clock.follow(START_MS + ticks.now + HOUR_MS + minute * (SAME_MS_MAX + 1))
        ticks.now += MINUTE_MS
    assert clock.now_ms() == START_MS + ticks.now


def check_a_node_that_was_away_for_long_waits_before_it_believes_a_time():
    ticks = Ticks()
    for away_ms, is_believed in ((AWAY_MS_MAX, True), (AWAY_MS_MAX + 1, False)):
        clock = Clock(ticks)
        clock.follow(START_MS + away_ms, START_MS)
        assert clock.is_set() == is_believed
    for _ in range(STEP_TOLD_MS // MINUTE_MS):
        ticks.now += MINUTE_MS
        assert clock.standing() == WAITING, "that it was away is nothing to doubt"
        clock.follow(START_MS + AWAY_MS_MAX + 1 + ticks.now, START_MS)
    assert clock.now_ms() == START_MS + AWAY_MS_MAX + 1 + ticks.now
    assert clock.standing() == OK
    fresh = Clock(ticks)
    fresh.follow(START_MS)
    assert fresh.is_set(), "a new node knows nothing to compare it with"


def check_a_wait_is_a_doubt_once_something_contradicts_or_it_lasts_too_long():
    metered_ms = START_MS + HOUR_MS
    away_ms = metered_ms + AWAY_MS_MAX + 1
    for contradicting_ms in (away_ms + SAME_MS_MAX + 1, metered_ms - 1):
        ticks = Ticks()
        clock = Clock(ticks)
        assert (clock.standing(), clock.was_told()) == (WAITING, False)
        clock.follow(away_ms, metered_ms)
        assert (clock.standing(), clock.was_told()) == (WAITING, True)
        clock.follow(contradicting_ms, metered_ms)
        for _ in range(STEP_TOLD_MS // MINUTE_MS):
            assert clock.standing() == DOUBTED, "until one of them is believed"
            ticks.now += MINUTE_MS
            clock.follow(away_ms + ticks.now, metered_ms)
        ticks.now += MINUTE_MS
        clock.follow(away_ms + ticks.now, metered_ms)
        assert (clock.standing(), clock.now_ms()) == (OK, away_ms + ticks.now)
    ticks = Ticks()
    clock = Clock(ticks)
    clock.follow(metered_ms - 1, metered_ms)
    assert clock.standing() == DOUBTED, "its own reading contradicts"
    clock = Clock(ticks)
    clock.follow(away_ms, metered_ms)
    ticks.now += WAIT_MS_MAX
    assert clock.standing() == WAITING
    ticks.now += 1
    assert clock.standing() == DOUBTED, "whoever tells it so seldom keeps something back"


def check_a_time_that_cannot_be_is_ignored_on_flash(folder):
    world = World(folder + "/n")
    for now_ms in (-1, 0, 1 << 53, (1 << 53) + 1, 10**30, -(10**30), True, None, str(START_MS)):
        tell_time(world, now_ms)
        assert world.clock.now_ms() == START_MS, now_ms
    for raw in ("1e999", "-1e999", "NaN", "Infinity", "true", "1.5e12", "[]", "1" * 500):
        world.node.receive("time", '{"v":1,"t":' + raw + "}")
        assert world.clock.now_ms() == START_MS, raw
        assert world.clock.standing() == OK, raw


def check_the_state_says_that_a_time_is_doubted_on_flash(folder):
    world = World(folder + "/n", interval_ms=MINUTE_MS)
    world.run(61, 0)
    assert world.all_of("state")[-1]["clock"] == "ok"
    tell_time(world, START_MS + 24 * HOUR_MS)
    world.carry()
    assert world.all_of("state")[-1]["clock"] == "doubted"
    tell_time(world, START_MS + 61_000)
    world.carry()
    assert world.all_of("state")[-1]["clock"] == "ok"
    world.restart()
    world.clock._offset_ms = None
    for off_ms, word in ((24 * HOUR_MS, "waiting"), (25 * HOUR_MS, "doubted")):
        tell_time(world, START_MS + off_ms)
        world.carry()
        told = world.all_of("state")[-1]
        assert (told["clock"], "t" in told) == (word, False)


def check_a_node_back_after_hours_waits_without_a_doubt_until_it_believes_on_flash(folder):
    world = World(folder + "/n", interval_ms=MINUTE_MS)
    world.run(61, 0)
    world.ticks.now += 3 * HOUR_MS
    world.clock._offset_ms = None
    world.restart()
    before = len(world.all_of("state"))
    for _ in range(STEP_TOLD_MS // MINUTE_MS + 1):
        tell_time(world, START_MS + world.ticks.now)
        world.carry()
        world.ticks.now += MINUTE_MS
    assert [told["clock"] for told in world.all_of("state")[before:]] == ["waiting", "ok"]


def check_a_broker_that_lies_for_nine_minutes_changes_no_end_of_an_interval_on_flash(folder):
    for off_ms in (2 * HOUR_MS, -2 * HOUR_MS, -30 * MINUTE_MS):
        world = World(folder + f"/n{off_ms}", interval_ms=MINUTE_MS)
        for _ in range(9):
            world.run(60, 3_600_000)
            tell_time(world, world.clock.now_ms() + off_ms)
        ends = [message["t_end"] - START_MS for message in sent(world)]
        assert ends == [minute * MINUTE_MS for minute in range(1, 10)], off_ms


def check_no_interval_that_has_its_reading_comes_again_on_flash(folder):
    world = World(folder + "/n", interval_ms=MINUTE_MS)
    world.run(61, 3_600_000)
    tell_time(world, START_MS + 58_000)
    world.run(64, 3_600_000)
    for _ in range(120):  # two hours of the same lie
        world.run(60, 3_600_000)
        tell_time(world, world.clock.now_ms() - HOUR_MS)
        world.carry()
        assert world.all_of("state")[-1]["clock"] == "doubted"
    ends = [message["t_end"] - START_MS for message in sent(world)]
    assert ends == [MINUTE_MS * (index + 1) for index in range(122)]


def check_a_clock_in_the_future_is_right_after_a_day_or_when_that_time_has_come_on_flash(folder):
    for hours, needed_ms in ((2, 2 * HOUR_MS), (24 * 400, BACK_TOLD_MS)):
        world = World(folder + f"/n-{hours}", interval_ms=MINUTE_MS)
        world.run(61, 3_600_000)
        world.clock.set(world.clock.now_ms() + hours * HOUR_MS)
        world.run(2, 3_600_000)
        assert sent(world)[-1]["t_end"] == START_MS + hours * HOUR_MS + MINUTE_MS
        world.restart()
        world.clock._offset_ms = None  # a reset alone does not help
        begun_ms = world.ticks.now
        while not world.clock.is_set():
            world.ticks.now += 10 * MINUTE_MS
            tell_time(world, START_MS + world.ticks.now)
        assert 0 <= world.ticks.now - begun_ms - needed_ms <= 10 * MINUTE_MS
        now_ms = world.clock.now_ms()
        assert now_ms == START_MS + world.ticks.now
        world.run(1, 3_600_000)
        stored = Record(world.folder + "/registers").load()
        assert stored["t_end"] == now_ms - now_ms % MINUTE_MS, "where it begins after a reset"
        world.restart()
        world.run(120, 3_600_000)
        messages = sent(world)
        numbers = [message["seq"] for message in messages]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= 4
        imports = [message["imp_wh"] for message in messages]
        assert imports == sorted(imports), "no energy is lost"


def started():
    ticks = Ticks()
    clock = Clock(ticks)
    clock.set(START_MS)
    return ticks, clock

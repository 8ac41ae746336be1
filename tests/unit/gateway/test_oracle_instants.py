"""Which readings an oracle reports for the ends of hours, and what it waits for."""

from chaincode.energy.oracle.records import MeterReading
from gateway.oracle.instants import HOLD_MS, HOUR_MS, Choice, Instants, ReportTimes, choose

TIMES = ReportTimes()
ONE, TWO, THREE = HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS


def reading(seq: int, t_end_ms: int) -> MeterReading:
    return MeterReading("meter-1", seq, t_end_ms, 0, 0, "measured", "")


def test_ends_of_hours() -> None:
    hours = Instants()
    assert hours.newest(TWO) == hours.newest(THREE - 1) == TWO
    assert list(hours.between(ONE, THREE)) == [TWO, THREE]
    assert list(hours.between(ONE + 1, THREE - 1)) == [TWO]
    assert list(hours.between(THREE, THREE)) == []
    odd = Instants(every_ms=7_000, first_ms=1_234)
    assert list(odd.between(1_233, 15_233)) == [1_234, 8_234]
    assert odd.newest(1_233) == 1_234 - 7_000


def test_the_reading_of_the_very_instant_is_reported_and_none_between() -> None:
    quarters = [reading(n, ONE + n * HOUR_MS // 4) for n in range(1, 9)]
    found = choose(quarters, [TWO, THREE], TIMES, THREE)
    assert found == Choice([quarters[3], quarters[7]], [])


def test_what_has_not_come_holds_up_what_is_behind_it_for_a_while() -> None:
    late = [reading(1, ONE), reading(3, THREE)]
    assert choose(late, [ONE, TWO, THREE], TIMES, TWO + HOLD_MS - 1) == Choice(
        late[:1], [], awaited_ms=TWO
    )
    assert choose(late, [ONE, TWO, THREE], TIMES, TWO + HOLD_MS) == Choice(late, [TWO])


def test_a_meter_that_is_away_is_waited_for_then_named() -> None:
    assert choose([], [ONE], TIMES, ONE) == Choice([], [], awaited_ms=ONE)
    assert choose([], [ONE, TWO], TIMES, ONE + HOLD_MS) == Choice([], [ONE], awaited_ms=TWO)
    assert choose([], [ONE, TWO], TIMES, TWO + HOLD_MS) == Choice([], [ONE, TWO])


def test_a_clock_that_is_off_gives_the_last_reading_before_the_instant() -> None:
    before, after = reading(4, TWO - 20_000), reading(5, TWO + 5_000)
    assert choose([before, after], [TWO], TIMES, TWO).readings == [before], "none is between"
    lost = reading(6, TWO + 5_000)
    assert choose([before, lost], [TWO], TIMES, TWO).awaited_ms == TWO, "number 5 may be the one"
    assert choose([before, lost], [TWO], TIMES, TWO + HOLD_MS) == Choice([before], [TWO])
    far = reading(4, TWO - 16 * 60_000)
    assert choose([far, after], [TWO], TIMES, TWO + HOLD_MS).readings == [], "no contract takes it"


def test_members_take_turns() -> None:
    members = [f"{name}MSP" for name in ("Cooperative", "Municipality", "Dso", "Utility")]
    first = {min(members, key=lambda m: TIMES.turn_ms(m, hour * HOUR_MS)) for hour in range(50)}
    assert first == set(members)
    assert all(0 <= TIMES.turn_ms(member, ONE) < TIMES.spread_ms for member in members)
    assert ReportTimes(spread_ms=0).turn_ms("DsoMSP", ONE) == 0

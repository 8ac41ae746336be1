"""Energy of appliances: from counters, from powers, over windows that begin between two values."""

import itertools

from gateway.hems.appliance_energy import COUNTER_SILENCE_MS_MAX, HOLD_MS_MAX, ApplianceEnergy
from gateway.hems.measurements import MeasurementStore
from gateway.mqtt.device_messages import Measurement
from tests.support.gateway_database import fresh_database
from tests.unit.gateway.metering.data_service import NOON_MS

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def energies(values: dict[int, dict[str, int]], *, page: int = 20_000) -> ApplianceEnergy:
    """Of a plug that told these values so many minutes after noon."""
    database = fresh_database()
    found = [Measurement("plug", NOON_MS + at * MINUTE_MS, **told) for at, told in values.items()]
    MeasurementStore(database).keep(found, NOON_MS)
    return ApplianceEnergy(database, powers_per_page=page)


def used_wh(plug: ApplianceEnergy, first: int, last: int, **more: int) -> int:
    begin_ms, end_ms = (NOON_MS + at * MINUTE_MS for at in (first, last))
    return plug.between("plug", begin_ms, end_ms, **more)


def counters(*values: int) -> dict[int, dict[str, int]]:
    return {10 * at: {"energy_wh": value} for at, value in enumerate(values)}


def test_a_counter_gains_and_one_that_begins_again_counts_from_zero():
    plug = energies(counters(100, 150, 20, 30))
    assert used_wh(plug, 0, 60) == 50 + 20 + 10
    assert used_wh(plug, -60, 0) == 0
    assert ApplianceEnergy(fresh_database()).between("plug", 0, NOON_MS) == 0


def test_windows_side_by_side_add_up_to_the_whole():
    """A window counts from the last value before it, or each border would lose energy."""
    plug = energies(counters(100, 140, 175, 260, 300))
    borders = (0, 5, 15, 25, 39, 60)
    parts = [used_wh(plug, first, last) for first, last in itertools.pairwise(borders)]
    assert parts == [0, 40, 35, 85, 40]
    assert sum(parts) == used_wh(plug, 0, 60) == 200


def test_a_counter_counts_with_two_values_of_which_one_is_in_the_time():
    """Else a plug that told its counter once would seem to use nothing for ever."""
    powers = {minute: {"p_mw": 600_000} for minute in range(60, 120)}
    told_once = energies({0: {"energy_wh": 100}} | powers)
    assert used_wh(told_once, 0, 120) == used_wh(told_once, 60, 120) == 600
    told_twice = energies({0: {"energy_wh": 100}} | powers | {119: {"energy_wh": 130}})
    assert used_wh(told_twice, 60, 120) == 30


def test_a_counter_is_taken_up_again_after_a_silence_of_a_month_at_most():
    silent_min = COUNTER_SILENCE_MS_MAX // MINUTE_MS
    for since, expected in ((silent_min, 30), (silent_min + 1, 0)):
        plug = energies({0: {"energy_wh": 100}, since + 5: {"energy_wh": 130}})
        assert used_wh(plug, since, since + 10) == expected


def test_what_the_plug_counted_for_its_former_owner_is_not_the_new_ones():
    plug = energies(counters(100, 140, 175, 260))
    assert used_wh(plug, 15, 40) == 35 + 85
    assert used_wh(plug, 15, 40, not_before_ms=NOON_MS + 15 * MINUTE_MS) == 85


def test_a_power_holds_until_the_next_value_or_five_minutes():
    plug = energies({minute: {"p_mw": 600_000} for minute in range(60)})
    assert used_wh(plug, 0, 60) == 600
    assert used_wh(plug, 60, 120) == 600 * (HOLD_MS_MAX - MINUTE_MS) // HOUR_MS
    assert used_wh(energies({0: {"p_mw": 600_000}}), 0, 60) == 50
    assert used_wh(energies({0: {"p_mw": 600_000}}), 2, 60) == 30, "of what began before"
    gone = energies({0: {"p_mw": 600_000}, 2: {"u_mv": 230_000}})
    assert used_wh(gone, 0, 60) == 50, "a value without a power says nothing of it"


def test_however_many_values_there_are_all_count():
    values = {minute: {"p_mw": 600_000} for minute in range(240)}
    for page in (1, 7, 240, 241):
        assert used_wh(energies(values, page=page), 0, 240) == 2_400


def test_the_newest_values_are_shown_not_the_oldest():
    store = MeasurementStore(fresh_database())
    store.keep([Measurement("plug", at, p_mw=at) for at in range(10)], NOON_MS)
    assert [found.t_ms for found in store.newest("plug", 2, 9, 3)] == [6, 7, 8]

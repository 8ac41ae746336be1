"""What the demo's devices show: pure rules of live values, batteries and plugs."""

import json
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.appliances import FRIDGE, WATER_HEATER, ShellyPlug, TasmotaPlug
from gateway.demo.home_battery import HOURS_AT_REST, hour_of, with_battery
from gateway.demo.live_values import Moment, moment_at, power_w, values_of
from gateway.hems.profiles import DEMO_START, Battery, load_profiles
from gateway.hems.service import Inbox
from gateway.mqtt.adapters import ShellyPlugs, TasmotaPlugs

PROFILES = load_profiles()
HOME = PROFILES.homes[0]
FIRST_ROW = PROFILES.hour_index(DEMO_START)
BATTERY = Battery(capacity_wh=6_400, power_w=5_000, efficiency_permille=900)
HOUR_MS = 6_000


def test_the_market_is_where_its_clock_says():
    def at(now_ms: int) -> Moment:
        return moment_at(
            now_ms, start_ms=10_000, hour_ms=HOUR_MS, first_hour=DEMO_START, profiles=PROFILES
        )

    assert at(10_000) == Moment(FIRST_ROW, 0)
    assert at(13_000) == Moment(FIRST_ROW, 500)
    assert at(9_999) == Moment(FIRST_ROW - 1, 999)
    assert at(10_000 + 25 * HOUR_MS) == Moment(
        PROFILES.hour_index(DEMO_START + timedelta(hours=25)), 0
    )


def test_power_is_the_hours_mean_in_its_middle_and_moves_in_a_straight_line():
    hours = (100, 300, 200)
    assert [power_w(hours, Moment(1, permille)) for permille in (500, 0, 250, 750, 999)] == [
        300, 200, 250, 275, 250,
    ]  # fmt: skip
    assert power_w(hours, Moment(2, 999)) == 150, "after the last hour comes the first"
    assert power_w(hours, Moment(0, 0)) == 150


def test_taking_lowers_the_voltage_and_feeding_lifts_it():
    assert values_of(0).u_mv == 230_000
    assert values_of(5_000).u_mv < 230_000 < values_of(-5_000).u_mv
    fed = values_of(-2_300)
    assert fed.p_mw == -2_300_000
    assert 9_700 < fed.i_ma < 10_000


@given(stored=st.integers(0, BATTERY.capacity_wh), surplus=st.integers(-20_000, 20_000))
def test_a_battery_stays_within_its_nameplate_and_leaves_half(stored, surplus):
    flow, after = hour_of(BATTERY, stored, surplus)
    assert 0 <= after <= BATTERY.capacity_wh
    assert abs(flow) <= min(BATTERY.power_w, abs(surplus) // 2 + 1)
    assert flow * surplus >= 0
    if flow < 0:
        assert after == stored + flow
    else:
        assert after == stored + flow * 900 // 1_000


def test_a_home_with_a_battery_takes_and_gives_what_the_battery_does():
    stored = with_battery(HOME, FIRST_ROW)
    rows = range(FIRST_ROW, FIRST_ROW + 24)
    assert any(stored.flow_wh[row] > 0 for row in rows)
    assert any(stored.flow_wh[row] < 0 for row in rows)
    for row in rows:
        assert stored.home.load_wh[row] == HOME.load_wh[row] + stored.flow_wh[row] >= 0
    assert stored.home.pv_wh == HOME.pv_wh
    at_first = HOME.battery.capacity_wh * 30 // 100
    for number in range(HOURS_AT_REST):
        assert stored.stored_at(Moment(FIRST_ROW - number, 0)) == at_first
    assert stored.stored_at(Moment(FIRST_ROW, 999)) > at_first


def test_what_a_tasmota_plug_says_is_what_the_gateway_reads():
    plug, adapter, inbox = (
        TasmotaPlug("fridge", FRIDGE),
        TasmotaPlugs({"fridge": "fridge-01"}),
        Inbox(),
    )
    for said in (*plug.online(), *plug.measured(1_000, 3_600_000), *plug.obey(b"OFF")):
        assert adapter.take(said.topic, said.payload, inbox, 5)
    assert not inbox.refused
    (measured,) = inbox.measurements
    assert (measured.p_mw, measured.energy_wh) == (80_000, 80)
    assert inbox.states["fridge-01"].plug_on == 0
    assert json.loads(plug.measured(1_000, 3_600_000)[0].payload)["ENERGY"]["Total"] == 0.08
    assert plug.command_topic == adapter.switches["fridge-01"].topic
    assert plug.obey(adapter.switches["fridge-01"].on)[0].payload == b"ON"
    assert plug.obey(b"nonsense")[0].payload == b"ON"


def test_what_a_shelly_plug_says_is_what_the_gateway_reads():
    plug, adapter, inbox = (
        ShellyPlug("sh", WATER_HEATER),
        ShellyPlugs({"sh": "heater-01"}),
        Inbox(),
    )
    for said in (*plug.online(), *plug.measured(1_000, 1_800_000)):
        assert adapter.take(said.topic, said.payload, inbox, 5)
    (measured,) = inbox.measurements
    assert (measured.p_mw, measured.energy_wh) == (350_000, 175)
    (off,) = plug.obey(adapter.switches["heater-01"].off)
    assert adapter.take(off.topic, off.payload, inbox, 6)
    assert not inbox.refused
    assert inbox.states["heater-01"].plug_on == 0
    assert inbox.measurements[-1].p_mw == 0
    assert inbox.measurements[-1].energy_wh == 175


def test_an_appliance_has_its_own_limits():
    assert [FRIDGE.power_w(load) for load in (0, 1_000, 9_000)] == [60, 80, 140]
    assert replace(FRIDGE, least_w=0).power_w(0) == 0

"""Foreign topics and the cloud mirror."""

import json

import pytest

from gateway.hems.mirror import CloudMirror
from gateway.hems.service import Inbox
from gateway.mqtt.adapters import EnergyNotices, SourceTopics, foreign_access
from gateway.mqtt.plug_adapters import ShellyGen1Plugs, ShellyPlugs, TasmotaPlugs
from gateway.mqtt.transfer_notice import (
    NOTICE_BYTES_MAX,
    TransferNotice,
    encode_transfer_notice,
    parse_transfer_notice,
)
from gateway.settings import ForeignDevices
from tests.support.gateway_database import fresh_database
from tests.unit.gateway.metering.data_service import NOON_MS

MS_PER_DAY = 24 * 3_600_000


def taken(adapter, topic: str, content: object) -> Inbox:
    inbox = Inbox()
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    assert adapter.take(topic, raw, inbox, NOON_MS)
    return inbox


def test_the_sources_topics_a_house_each():
    adapter = SourceTopics({"p2p": "house-1", "p2p-2": "house-2"})
    assert "p2p-2/potencia" in adapter.topics["house-2"]
    (first,) = taken(adapter, "p2p/voltage", b"12.4").measurements
    (second,) = taken(adapter, "p2p/potencia", b"10.54").measurements
    (other,) = taken(adapter, "p2p-2/current", b"0.85").measurements
    assert (first.device_id, first.u_mv) == ("house-1", 12_400)
    assert (second.u_mv, second.p_mw) == (12_400, 10_540)
    assert (other.device_id, other.i_ma, other.u_mv) == ("house-2", 850, None)
    (battery,) = taken(adapter, "p2p/voltageBESS", b"9").measurements
    assert (battery.device_id, battery.u_mv) == ("house-1-battery", 9_000)
    assert not adapter.take("p2p/energy", b"1", Inbox(), NOON_MS)


@pytest.mark.parametrize("raw", [b"", b"twelve", b"nan", b"1e99", b"\xff", b"1" * 40])
def test_what_is_no_number_is_counted_against_the_device(raw):
    inbox = taken(SourceTopics({"p2p": "house-1"}), "p2p/voltage", raw)
    assert (inbox.measurements, inbox.refused["house-1"]) == ([], 1)


@pytest.mark.row("E087")
def test_the_transfer_message_names_number_energy_seller_and_buyer():
    text = "New Transaction #3: 0.25 from IDG-1 -> IDG-2"
    notice = parse_transfer_notice(text)
    assert notice == TransferNotice(number=3, energy_wh=250, seller="IDG-1", buyer="IDG-2")
    assert str(notice) == text
    for wrong in (
        "New Transaction #3: 0.25 from  -> IDG-2",
        "New Transaction #3: 0.25 from IDG-1 -> ",
        "New Transaction #3: 0.25 from IDG-1",
        "New Transaction #: 0.25 from IDG-1 -> IDG-2",
        "New Transaction #3: from IDG-1 -> IDG-2",
        "New Transaction #3: 0 from IDG-1 -> IDG-2",
        "New Transaction #3: 0.0001 from IDG-1 -> IDG-2",
        "New Transaction #3: 0.25 from IDG-1 -> IDG-1",
        "0.25",
    ):
        with pytest.raises(ValueError, match=r"New Transaction|same|watt-hours"):
            parse_transfer_notice(wrong)


def test_a_notice_heard_is_kept_to_be_compared_and_a_bad_one_counted():
    adapter = EnergyNotices({"p2p": "old-oracle"})
    inbox = taken(adapter, "p2p/energy", b"New Transaction #3: 0.25 from IDG-1 -> IDG-2")
    assert inbox.notices == [("old-oracle", TransferNotice(3, 250, "IDG-1", "IDG-2"))]
    assert (inbox.refused, adapter.switches) == ({}, {})
    for raw in (b"", b"on", b"\xff", b"New Transaction #3: 0.25 from IDG-1 -> "):
        assert taken(adapter, "p2p/energy", raw).refused == {"old-oracle": 1}
    assert not adapter.take("p2p-2/energy", b"on", Inbox(), NOON_MS)


def test_the_longest_notice_is_taken_and_none_that_a_reader_would_refuse_is_sent():
    longest = TransferNotice(10**18 - 1, 10**15 - 1, "A" * 100, "B" * 100)
    assert len(encode_transfer_notice(longest)) <= NOTICE_BYTES_MAX
    for account in ("", "IDG-2", "IDG 1", "A" * 101):
        with pytest.raises(ValueError, match=r"New Transaction|same"):
            encode_transfer_notice(TransferNotice(1, 250, account, "IDG-2"))


def test_boards_hear_of_transfers_only_where_the_settings_say_so_and_never_tell():
    silent = foreign_access(ForeignDevices(source={"p2p": "board-1"}))
    assert not silent["board-1"].may_receive("p2p/energy")
    told = foreign_access(ForeignDevices(source={"p2p": "board-1"}, energy={"p2p": "old-oracle"}))
    assert told["board-1"].may_receive("p2p/energy")
    assert not told["board-1"].may_publish("p2p/energy")
    assert told["board-1"].may_publish("p2p/voltage")
    assert told["old-oracle"].may_publish("p2p/energy")
    assert not told["old-oracle"].may_publish("p2p/voltage")


def test_a_tasmota_plug():
    adapter = TasmotaPlugs({"kettle": "plug-1"})
    energy = {"Total": 12.345, "Power": 2_000, "Voltage": 230, "Current": 8.7}
    (found,) = taken(adapter, "tele/kettle/SENSOR", {"ENERGY": energy}).measurements
    assert (found.device_id, found.energy_wh, found.p_mw) == ("plug-1", 12_345, 2_000_000)
    assert (found.u_mv, found.i_ma) == (230_000, 8_700)
    assert taken(adapter, "tele/kettle/LWT", b"Online").states["plug-1"].state == "online"
    assert taken(adapter, "tele/kettle/LWT", b"Offline").states["plug-1"].state == "lost"
    assert taken(adapter, "tele/kettle/SENSOR", {"x": 1}).refused["plug-1"] == 1
    assert taken(adapter, "tele/kettle/SENSOR", b"{").refused["plug-1"] == 1
    assert not adapter.take("tele/other/SENSOR", b"{}", Inbox(), NOON_MS)


def test_a_shelly_plug():
    adapter = ShellyPlugs({"shellyplug-1": "plug-2"})
    status = {"output": True, "apower": 8.5, "voltage": 231.2, "aenergy": {"total": 1234.5}}
    inbox = taken(adapter, "shellyplug-1/status/switch:0", status)
    (found,) = inbox.measurements
    assert (found.energy_wh, found.p_mw, found.u_mv) == (1_234, 8_500, 231_200)
    assert inbox.states["plug-2"].plug_on == 1
    assert taken(adapter, "shellyplug-1/online", b"false").states["plug-2"].state == "lost"
    assert taken(adapter, "shellyplug-1/status/switch:0", {}).refused["plug-2"] == 1


def test_a_tasmota_plugs_regular_state_tells_its_relay_and_its_signal():
    adapter = TasmotaPlugs({"kettle": "plug-1"})
    state = {"Time": "2026-02-24T22:20:38", "Uptime": "0T00:10:11", "MqttCount": 1, "POWER": "OFF"}
    wifi = {"AP": 1, "SSId": "net", "Channel": 3, "RSSI": 44, "Signal": -78, "LinkCount": 1}
    said = taken(adapter, "tele/kettle/STATE", state | {"Wifi": wifi}).states["plug-1"]
    assert (said.state, said.plug_on, said.signal_dbm) == ("online", 0, -78)
    assert taken(adapter, "tele/kettle/STATE", {"Wifi": wifi}).refused["plug-1"] == 1
    odd = state | {"Wifi": {"Signal": True}}
    assert taken(adapter, "tele/kettle/STATE", odd).states["plug-1"].signal_dbm is None


def notified(adapter, method: str = "NotifyStatus", **params: object) -> Inbox:
    """As `events/rpc` of generation 2 has it."""
    frame = {"src": "shellyplug-1", "dst": "shellyplug-1/events", "method": method}
    return taken(adapter, "shellyplug-1/events/rpc", frame | {"params": {"ts": 1.43} | params})


def test_a_shelly_plugs_notifications_are_laid_over_what_it_told_before():
    adapter = ShellyPlugs({"shellyplug-1": "plug-2"})
    whole = {"id": 0, "output": True, "apower": 8.5, "voltage": 231.2}
    energy = {"by_minute": [0.1, 0.2, 0.3], "minute_ts": 1_631_266_595, "total": 1_234_567.5}
    inbox = notified(adapter, "NotifyFullStatus", **{"switch:0": whole | {"aenergy": energy}})
    (found,) = inbox.measurements
    assert (found.energy_wh, found.p_mw, found.u_mv) == (1_234_567, 8_500, 231_200)
    inbox = notified(adapter, **{"switch:0": {"id": 0, "apower": 9.25}})
    (found,) = inbox.measurements
    assert (found.energy_wh, found.p_mw, found.u_mv) == (1_234_567, 9_250, 231_200)
    assert inbox.states["plug-2"].plug_on == 1
    inbox = notified(adapter, **{"switch:0": {"id": 0, "output": False, "source": "MQTT"}})
    assert (inbox.measurements, inbox.states["plug-2"].plug_on) == ([], 0)
    assert notified(adapter, wifi={"rssi": -53}).states["plug-2"].signal_dbm == -53
    pressed = notified(adapter, "NotifyEvent", events=[{"component": "input:0"}])
    assert (pressed.measurements, pressed.states, pressed.refused) == ([], {}, {})
    assert taken(adapter, "shellyplug-1/events/rpc", b"[]").refused["plug-2"] == 1


def test_a_shelly_plug_of_generation_1():
    adapter = ShellyGen1Plugs({"shellyplug-s-040BAD": "plug-3"})
    relay = "shellies/shellyplug-s-040BAD/relay/0"
    assert taken(adapter, relay, b"on").states["plug-3"].plug_on == 1
    assert taken(adapter, relay, b"overpower").states["plug-3"].plug_on == 0
    (found,) = taken(adapter, f"{relay}/power", b"42.15").measurements
    assert (found.p_mw, found.energy_wh) == (42_150, None)
    (found,) = taken(adapter, f"{relay}/energy", b"7260061").measurements
    assert (found.p_mw, found.energy_wh) == (42_150, 121_001), "watt-minutes"
    assert taken(adapter, "shellies/shellyplug-s-040BAD/online", b"false").states["plug-3"]
    for leaf, raw in (("", b"dim"), ("/power", b"nan"), ("/energy", b"-1"), ("/x", b"1")):
        assert taken(adapter, relay + leaf, raw).refused["plug-3"] == 1
    assert not adapter.take("shellies/other/relay/0", b"on", Inbox(), NOON_MS)
    assert adapter.switches["plug-3"].topic == f"{relay}/command"


@pytest.mark.row("E073")
def test_seven_houses_at_one_value_a_second_never_exceed_the_daily_limit():
    database = fresh_database()
    mirror = CloudMirror(database, "community")
    writes = 0
    for second in range(86_400):
        now_ms = NOON_MS // MS_PER_DAY * MS_PER_DAY + second * 1_000
        mirror.note({f"house-{house}.u_mv": 12_000 + second % 7 for house in range(7)})
        found = mirror.due(now_ms)
        if found is not None:
            assert len(found) == 7
            writes += 1
        if second % 20_000 == 10_000:  # restarts do not begin to count anew
            mirror = CloudMirror(database, "community")
    assert 5_700 < writes <= 8_200


def test_a_full_day_stays_full_across_restarts():
    database = fresh_database()
    for number in range(5):
        mirror = CloudMirror(database, "small", writes_per_day=3)
        mirror.note({"a": number})
        assert (mirror.due(NOON_MS + number) is not None) is (number < 3)
    mirror.note({"a": 9})
    assert mirror.due(NOON_MS + MS_PER_DAY) == {"a": 9}


@pytest.mark.parametrize("name", ["#", "+", "a/b", "", "a b"])
def test_a_name_that_is_no_level_of_a_topic_is_refused(name):
    for foreign in ({name: "plug-1"}, {"kettle": name}):
        with pytest.raises(ValueError, match="no name"):
            ForeignDevices(tasmota=foreign)

"""Transfers: whose relay closes, for how long, exactly once, and never without a way out."""

import json

from meternode.energy import ELAPSED_PERIODS_MAX
from meternode.node import OUTGOING_MAX, Sample
from meternode.transfers import LINK_LOST_MS, WAITING_MAX
from world import START_MS, World

ROWS = {
    "check_seller_closes_out_and_buyer_in_with_the_led_on_flash": ("E084",),
    "check_the_relay_opens_within_one_sample_of_the_agreed_energy_on_flash": ("E085",),
    "check_what_is_no_command_is_refused_whole_on_flash": ("E087",),
}
OPEN, OUT, IN = (False, False, False), (True, False, False), (False, True, True)
P_10_W, P_3600_W = 10_000, 3_600_000


def check_seller_closes_out_and_buyer_in_with_the_led_on_flash(folder):
    seller = World(folder + "/seller", account="IDG-1")
    buyer = World(folder + "/buyer", account="IDG-2", device="node-2")
    third = World(folder + "/third", account="IDG-3", device="node-3")
    answers = [world.transfer("t-1") for world in (seller, buyer, third)]
    assert [answer["status"] for answer in answers] == ["accepted", "accepted", "refused"]
    assert answers[2]["reason"] == "not_mine"
    assert (seller.all_of("state")[-1]["out"], seller.all_of("state")[-1]["in"]) == (1, 0)
    assert (buyer.all_of("state")[-1]["out"], buyer.all_of("state")[-1]["in"]) == (0, 1)
    assert [state for _, state in seller.relay_log] == [OPEN, OUT]
    assert [state for _, state in buyer.relay_log] == [OPEN, IN]
    assert [state for _, state in third.relay_log] == [OPEN], "no relay change"
    for world in (seller, buyer, third):
        world.run(3, power_mw=0)
    assert [state for _, state in third.relay_log] == [OPEN]


def check_the_relay_opens_within_one_sample_of_the_agreed_energy_on_flash(folder):
    for account, sign in (("IDG-1", -1), ("IDG-2", 1)):
        world = World(folder + "/" + account, account=account)
        world.transfer("t-1", energy_wh=10)
        world.run(9, sign * P_3600_W)  # 1 Wh per sample
        assert world.relay_log[-1][1] != OPEN
        world.run(1, sign * P_3600_W)
        assert world.relay_log[-1] == (10_000, OPEN)
        last = world.all_of("ack")[-1]
        assert (last["status"], last["energy_mwh"], last["in"], last["out"]) == (
            "done",
            10_000,
            0,
            0,
        )
        events = world.all_of("event")
        assert [event["event"] for event in events] == ["start", "stop"]
        assert (events[1]["time"], events[1]["energy"]) == (10, 0.01)
        world.run(20, sign * P_3600_W)
        assert world.cycles() == 1


def check_energy_in_the_other_direction_does_not_fulfil_a_transfer_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=1)
    world.run(10, P_3600_W)  # the seller draws
    assert world.relay_log[-1][1] == OUT


def check_copies_and_resets_give_one_cycle_on_flash(folder):
    world = World(folder + "/n")
    for _ in range(5):
        assert world.transfer("t-1", energy_wh=5)["status"] == "accepted"
    world.run(5, -P_3600_W)
    for _ in range(3):
        answer = world.transfer("t-1", energy_wh=5)
        assert (answer["status"], answer["energy_mwh"]) == ("done", 5_000)
    world.restart()
    assert world.transfer("t-1", energy_wh=5)["status"] == "done"
    assert world.cycles() == 1


def check_a_reset_in_a_transfer_ends_it_for_good_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=100)
    world.run(12, -P_3600_W)
    world.restart()
    ended = world.all_of("ack")[-1]
    assert (ended["status"], ended["reason"], ended["out"]) == ("failed", "reset", 0)
    assert ended["energy_mwh"] == 10_000, "what was measured up to the last checkpoint"
    assert world.transfer("t-1", energy_wh=100)["status"] == "failed"
    assert world.cycles() == 1


def check_the_events_of_a_transfer_that_a_reset_broke_off_are_told_once_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=100)
    world.run(12, -P_3600_W)
    world.restart()
    world.run(3, 0)
    world.restart()
    events = world.all_of("event")
    assert [(entry["event"], entry["time"]) for entry in events] == [("start", 0), ("stop", 10)]
    assert (events[-1]["energy"], events[-1]["id"]) == (0.01, "t-1")
    assert set(events[-1]) == {"name", "event", "time", "energy", "id", "d"}


def check_events_that_the_broker_did_not_get_come_after_the_reset_on_flash(folder):
    world = World(folder + "/n")
    world.command_without_link("t-1", energy_wh=5)
    for _ in range(6):
        world.ticks.now += 1_000
        world.node.transfers.heard(world.ticks.now)
        world.node.sample(Sample(-P_3600_W))
    assert not world.node.relays()["out"]
    assert "event" in [leaf for leaf, _ in world.node.outgoing]
    for _ in range(2):
        world.restart()
        told = [(entry["event"], entry["energy"]) for entry in world.all_of("event")]
        assert told == [("start", 0), ("stop", 0.005)]


def check_a_waiting_transfer_whose_relay_never_closed_has_no_events_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=100)
    world.transfer("t-2", energy_wh=100)
    world.restart()
    assert {entry["id"] for entry in world.all_of("event")} == {"t-1"}


def check_a_full_queue_drops_answers_before_events_and_counts_them_on_flash(folder):
    world = World(folder + "/n")
    world.command_without_link("t-1", energy_wh=5)
    now_ms = world.clock.now_ms()
    stop = {"v": 1, "t": now_ms, "expires": now_ms + 60_000, "id": "s-1", "op": "stop"}
    for _ in range(OUTGOING_MAX):
        world.node.receive("cmd", json.dumps(dict(stop, transfer="t-1")))
    leaves = [leaf for leaf, _ in world.node.outgoing]
    assert len(leaves) == OUTGOING_MAX
    assert leaves.count("event") == 2
    assert world.node.state()["dropped"] == world.node.dropped > 0


def check_many_commands_later_a_copy_of_a_long_transfer_is_still_known_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-long", energy_wh=1, until=START_MS + 80_000_000)
    world.run(1, -P_3600_W)
    for number in range(150):
        world.ticks.now += 60_001
        world.command(id=f"s-{number}", op="stop", transfer=f"x-{number}")
        world.messages = []
    for _ in range(2):
        assert world.transfer("t-long", until=START_MS + 80_000_000)["status"] == "done"
        world.restart()
    assert world.cycles() == 1


def check_a_transfer_that_comes_after_its_stop_never_begins_on_flash(folder):
    world = World(folder + "/n")
    until = START_MS + 3_600_000
    for _ in range(2):  # a copy of the stop is answered in full, too
        world.messages = []
        world.command(id="t-1-stop", op="stop", transfer="t-1", expires=until + 60_000)
        told = {answer["id"]: answer for answer in world.all_of("ack")}
        assert told["t-1-stop"]["status"] == "done"
        assert (told["t-1"]["status"], told["t-1"]["reason"]) == ("refused", "stopped")
    for _ in range(2):
        late = world.transfer("t-1", until=until)
        assert (late["status"], late["reason"], late["out"]) == ("refused", "stopped", 0)
        world.restart()
    world.run(5, -P_10_W)
    assert world.cycles() == 0
    assert world.transfer("t-2")["status"] == "accepted", "another one is not concerned"


def check_copies_of_a_stop_repeat_how_a_transfer_ended_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=1)
    world.run(1, -P_3600_W)
    for _ in range(2):
        world.messages = []
        world.command(id="t-1-stop", op="stop", transfer="t-1")
        told = {answer["id"]: answer for answer in world.all_of("ack")}
        assert (told["t-1"]["status"], told["t-1"]["energy_mwh"]) == ("done", 1_000)
        assert told["t-1-stop"]["status"] == "done"
    assert world.cycles() == 1


def check_a_stop_before_the_time_is_known_counts_once_it_is_on_flash(folder):
    world = World(folder + "/n")
    world.clock._offset_ms = None
    stop = {"id": "t-1-stop", "op": "stop", "transfer": "t-1", "t": START_MS}
    stop["expires"] = START_MS + 60_000
    answer = world.command(**stop)
    assert (answer["status"], answer["reason"]) == ("refused", "clock")
    world.node.receive("time", json.dumps({"v": 1, "t": START_MS}))
    world.command(**stop)
    assert world.transfer("t-1")["reason"] == "stopped"
    assert world.cycles() == 0


def check_a_lost_link_opens_after_thirty_seconds_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=1_000)
    world.run(5, -P_10_W)
    world.run(29, -P_10_W, link=False)
    assert world.relay_log[-1][1] == OUT
    world.run(1, -P_10_W, link=False)
    assert world.relay_log[-1] == (5_000 + LINK_LOST_MS, OPEN)
    assert world.all_of("ack")[-1]["reason"] == "lost_link"
    assert world.transfer("t-1", energy_wh=1_000)["status"] == "failed"
    assert world.cycles() == 1


def check_a_sensor_that_hangs_does_not_keep_the_relay_closed_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=1_000, until=START_MS + 20_000)
    for _ in range(21):  # no sample at all, only time
        world.ticks.now += 1_000
        world.node.transfers.heard(world.ticks.now)
        world.node.tick()
        world.carry()
    assert world.relay_log[-1] == (20_000, OPEN)
    assert world.all_of("ack")[-1]["reason"] == "until"


def check_a_blind_sensor_ends_the_transfer_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1")
    world.run(1, None)
    assert world.all_of("ack")[-1]["reason"] == "fault"
    assert world.relay_log[-1][1] == OPEN


def check_too_much_energy_at_once_is_an_overrun_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=1)
    world.ticks.now += 9_000  # the node was busy for nine samples
    world.run(1, -P_3600_W)
    last = world.all_of("ack")[-1]
    assert (last["status"], last["reason"]) == ("failed", "overrun")
    assert last["energy_mwh"] == 1_000 * ELAPSED_PERIODS_MAX, "as the registers count it"
    assert world.relay_log[-1][1] == OPEN


def check_time_set_forward_does_not_lengthen_a_transfer_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-1", energy_wh=1_000, until=START_MS + 10_000)
    world.clock.set(START_MS - 86_400_000)  # the time of day goes back a day
    world.run(10, -P_10_W)
    assert world.all_of("ack")[-1]["reason"] == "until"


def check_transfers_take_turns_and_never_overlap_on_flash(folder):
    world = World(folder + "/n")
    assert world.transfer("t-1", energy_wh=3)["out"] == 1
    waiting = world.transfer("t-2", seller="IDG-2", buyer="IDG-1", energy_wh=2)
    assert (waiting["status"], waiting["in"], waiting["out"]) == ("accepted", 0, 1)
    world.run(3, -P_3600_W)
    world.run(3, P_3600_W)
    assert [state for _, state in world.relay_log] == [OPEN, OUT, IN, OPEN] or [
        state for _, state in world.relay_log
    ] == [OPEN, OUT, OPEN, IN, OPEN]
    assert [event["event"] for event in world.all_of("event")] == ["start", "stop"] * 2


def check_the_line_for_a_turn_is_short_and_who_waits_too_long_goes_on_flash(folder):
    world = World(folder + "/n")
    world.transfer("t-0", energy_wh=1_000)
    for number in range(WAITING_MAX):
        assert world.transfer(f"t-{number + 1}")["status"] == "accepted"
    refused = world.transfer("t-9")
    assert (refused["status"], refused["reason"]) == ("refused", "busy")
    world.run(61, -P_10_W)
    assert world.relay_log[-1][1] == OUT
    world.command(id="s-1", op="stop", transfer="t-0")
    reasons = {answer["id"]: answer.get("reason") for answer in world.all_of("ack")}
    assert reasons["t-0"] == "stopped"
    assert [reasons[f"t-{number}"] for number in (1, 2, 3, 4)] == ["expired"] * 4
    assert world.cycles() == 1


def check_a_late_command_is_never_begun_on_flash(folder):
    world = World(folder + "/n")
    answer = world.transfer("t-1", expires=START_MS)
    assert (answer["status"], answer["reason"]) == ("refused", "expired")
    assert world.transfer("t-1", expires=START_MS + 60_000)["status"] == "refused"
    assert world.command(id="p-1", op="switch", on=1, expires=START_MS)["reason"] == "expired"
    assert world.cycles() == 0


def check_a_node_without_the_time_of_day_refuses_on_flash(folder):
    world = World(folder + "/n")
    world.clock._offset_ms = None
    answer = world.command(id="p-1", op="switch", on=1, t=START_MS, expires=START_MS + 1_000)
    assert (answer["status"], answer["reason"]) == ("refused", "clock")
    world.node.receive("time", json.dumps({"v": 1, "t": START_MS}))
    assert world.clock.is_set()


def check_a_plug_is_switched_once_per_id_on_flash(folder):
    world = World(folder + "/n")
    assert world.command(id="p-1", op="switch", on=1)["on"] == 1
    world.run(2, 0)
    assert world.command(id="p-2", op="switch", on=0)["on"] == 0
    world.run(2, 0)
    copy = world.command(id="p-1", op="switch", on=1)
    assert (copy["status"], copy["on"]) == ("done", 0), "a copy says how it stands now"
    assert not world.node.plug.is_on
    world.command(id="p-3", op="switch", on=1)
    assert world.command(id="p-4", op="switch", on=0)["reason"] == "busy", "it must rest"


def check_what_is_no_command_is_refused_whole_on_flash(folder):
    world = World(folder + "/n")
    good = {
        "v": 1,
        "id": "t-1",
        "op": "transfer",
        "t": START_MS,
        "expires": START_MS + 60_000,
        "until": START_MS + 120_000,
        "number": 3,
        "energy_wh": 250,
        "seller": "IDG-1",
        "buyer": "IDG-2",
    }
    for name in ("number", "energy_wh", "seller", "buyer", "until", "expires", "t"):
        bad = dict(good, id="without-" + name)
        del bad[name]
        assert world.send(json.dumps(bad))["reason"] == "bad_command", name
    changes = (
        {"energy_wh": 0},
        {"energy_wh": -5},
        {"energy_wh": "5"},
        {"energy_wh": 1.5},
        {"energy_wh": True},
        {"buyer": "IDG-1"},
        {"buyer": ""},
        {"buyer": "IDG 2"},
        {"v": 2},
        {"extra": 1},
    )
    for index, change in enumerate(changes):
        bad = dict(good, id=f"bad-{index}")
        bad.update(change)
        assert world.send(json.dumps(bad))["reason"] == "bad_command", change
    assert world.send(json.dumps(dict(good, id="x", op="explode")))["reason"] == "unknown_op"
    for raw in ("", "{", "[]", "null", '{"op":"switch"}', '{"id":7}', "x" * 2_000):
        assert world.send(raw) is None
    assert world.cycles() == 0
    assert world.send(json.dumps(good))["status"] == "accepted"

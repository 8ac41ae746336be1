"""Transfers between nodes: each relay closes once, whatever is lost, repeated or killed.

`./test --full` runs 1,000 seeds, `./test` some of them. A failing seed is named; run it alone:

    ./test --full tests/unit/gateway/metering/test_transfers.py -k "seed-17]"
"""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.hems.transfer_rules import TURN_MS_MIN, End, Transfer, commands, next_to_run
from gateway.hems.transfers import plan_trades
from tests.support.injected_faults import Broken, FaultLog
from tests.unit.gateway.metering.data_service import NOON_MS, Scene
from tests.unit.gateway.metering.transfer_world import (
    LASTS_MS,
    START_MS,
    STEP_MS,
    Faults,
    Keys,
    TransferWorld,
    lost_or_doubled,
)

SEEDS_ALWAYS, SEEDS_FULL = 12, 1_000
EVERYTHING = Faults(
    drop=0.3,
    repeat=0.2,
    broker_dies=0.01,
    node_dies=0.005,
    gateway_dies=0.02,
    oracle_repeats=0.05,
)
LOSSY = Faults(drop=0.3, repeat=0.3, gateway_dies=0.02, oracle_repeats=0.1)


def played(seed: int, faults: Faults, folder, sunless=()) -> TransferWorld:
    world = TransferWorld(seed, faults, folder, sunless)
    world.run()
    world.scene.database.close()
    return world


@pytest.mark.parametrize("seed", range(SEEDS_ALWAYS), ids=lambda seed: f"seed-{seed}")
def test_nothing_is_lost_or_doubled_whatever_breaks(seed, tmp_path):
    assert lost_or_doubled(played(seed, EVERYTHING, tmp_path)) == []


@pytest.mark.full
@pytest.mark.parametrize("seed", range(SEEDS_ALWAYS, SEEDS_FULL), ids=lambda seed: f"seed-{seed}")
def test_nothing_is_lost_or_doubled_in_a_thousand_runs(seed, tmp_path):
    assert lost_or_doubled(played(seed, EVERYTHING, tmp_path)) == []


@pytest.mark.parametrize(
    ("reason", "kind", "device", "lasts_s", "is_explained"),
    [
        ("reset", Broken.NODE, "node-1", 1, True),
        ("reset", Broken.NODE, "node-2", 1, False),
        ("reset", Broken.BROKER, "", 60, False),
        ("lost_link", Broken.BROKER, "", 30, True),
        ("lost_link", Broken.LINK, "node-1", 30, True),
        ("lost_link", Broken.LINK, "node-2", 30, False),
        ("lost_link", Broken.BROKER, "", 20, False),
        ("until", Broken.GATEWAY, "", 5, True),
        ("turn_over", Broken.GATEWAY, "", 5, True),
        ("turn_over", Broken.NODE, "node-3", 60, False),
        ("no_answer", Broken.NODE, "node-3", 60, False),
        ("overrun", Broken.NODE, "node-1", 60, False),
    ],
)
def test_a_failure_counts_as_explained_only_by_a_fault_that_leads_to_it(
    reason, kind, device, lasts_s, is_explained
):
    failed = transfer(
        seller=end(1, "failed", reason), buyer=end(2, "failed", "stopped"), state="failed"
    )
    nothing = FaultLog(reconnect_ms=0)
    assert nothing.unexplained(failed) == [f"t-1: nothing made node-1 say {reason}"]
    for begins_ms, explains in ((NOON_MS + 1_000, is_explained), (NOON_MS + 3_600_000, False)):
        log = FaultLog(reconnect_ms=0)
        log.note(kind, begins_ms, begins_ms + lasts_s * 1_000, device)
        assert (log.unexplained(failed) == []) is explains


@pytest.mark.row("E086")
@pytest.mark.parametrize("seed", range(4))
def test_lost_and_repeated_messages_and_restarted_oracles_change_no_cycle(seed, tmp_path):
    world = played(seed, LOSSY, tmp_path)
    assert lost_or_doubled(world) == []
    assert [transfer.state for transfer in world.transfers()] == ["done"] * 3
    assert dict(world.log.cycles()) == {
        ("t-1", "node-1"): 1,
        ("t-1", "node-2"): 1,
        ("t-2", "node-1"): 1,
        ("t-2", "node-2"): 1,
        ("t-3", "node-3"): 1,
        ("t-3", "node-4"): 1,
    }
    assert [side for _, _, side, _ in world.log.closings].count("out") == 3


@pytest.mark.row("E088")
def test_trades_on_one_segment_never_overlap_not_even_between_other_nodes(tmp_path):
    world = played(1, Faults(), tmp_path)
    spans = sorted(world.log.spans, key=lambda span: span[1])
    assert [name for name, _, _ in spans] == ["t-1", "t-1", "t-2", "t-2", "t-3", "t-3"]
    for before, after in pairwise([spans[0:2], spans[2:4], spans[4:6]]):
        assert max(end for _, _, end in before) <= min(begun for _, begun, _ in after)
    events = world.scene.stores.transfers.events("t-1")
    assert sorted((found.device_id, found.event) for found in events) == [
        ("node-1", "start"),
        ("node-1", "stop"),
        ("node-2", "start"),
        ("node-2", "stop"),
    ]
    assert {found.energy_mwh for found in events if found.event == "stop"} == {1_900, 2_000}


def test_a_seller_without_sun_has_the_bus_for_its_part_of_the_time_only(tmp_path):
    world = played(1, Faults(), tmp_path, sunless=["t-1"])
    sunless, *others = world.transfers()
    assert (sunless.state, [transfer.state for transfer in others]) == ("failed", ["done"] * 2)
    assert sunless.until_ms == START_MS + STEP_MS + (LASTS_MS - STEP_MS) // 2, "two of four Wh"
    assert [(end.device_id, end.reason) for end in sunless.ends] == [
        ("node-1", "turn_over"),
        ("node-2", "turn_over"),
    ]
    assert world.scene.alarms == []
    spans = world.log.spans
    assert min(begun for name, begun, _ in spans if name != "t-1") >= max(
        ends for name, _, ends in spans if name == "t-1"
    )


def end(number: int, status: str = "", reason: str = "") -> End:
    return End(f"IDG-{number}", f"node-{number}", status, reason)


def transfer(name: str = "t-1", number: int = 1, **changes) -> Transfer:
    values = {
        "seller": end(1),
        "buyer": end(2),
        "begins_ms": NOON_MS,
        "expires_ms": NOON_MS + 60_000,
        "until_ms": NOON_MS + 60_000,
    } | changes
    return Transfer(transfer_id=name, number=number, segment="bus", energy_wh=10, **values)


def test_only_the_first_of_a_segment_runs():
    later = transfer("t-3", 3, begins_ms=NOON_MS + 1)
    waiting = [later, transfer("t-2", 2), transfer("t-1", 1)]
    assert [one.transfer_id for one in next_to_run(waiting, NOON_MS)] == ["t-1"]
    running = transfer("t-9", 9, state="running")
    assert [one.transfer_id for one in next_to_run([*waiting, running], NOON_MS)] == ["t-9"]


def test_a_turn_lasts_for_its_part_of_the_time_left_by_energy_and_not_too_short():
    hour_ms = 3_600_000
    times = {"expires_ms": NOON_MS + hour_ms, "until_ms": NOON_MS + hour_ms}
    amounts = enumerate((250, 750, 1), start=1)
    sharing = [replace(transfer(f"t-{n}", n, **times), energy_wh=wh) for n, wh in amounts]
    (first,) = next_to_run(sharing, NOON_MS)
    ends_ms = NOON_MS + hour_ms * 250 // 1_001
    assert (first.until_ms, first.expires_ms) == (ends_ms, NOON_MS + hour_ms)
    for command in commands(first, NOON_MS):
        assert (command.message["until"], command.message["expires"]) == (ends_ms, ends_ms)
    assert next_to_run([first, *sharing[1:]], NOON_MS + 5_000) == [first], "told once"
    early_ms = NOON_MS + 60_000
    (second,) = next_to_run(sharing[1:], early_ms)
    assert second.until_ms == early_ms + (hour_ms - 60_000) * 750 // 751, "what was not used"
    (third,) = next_to_run(sharing[2:], second.until_ms)
    assert third.until_ms == NOON_MS + hour_ms, "the last one has all that is left"
    (tiny,) = next_to_run([sharing[2], replace(sharing[1], number=4)], NOON_MS)
    assert tiny.until_ms == NOON_MS + TURN_MS_MIN
    ahead = transfer("t-9", 9, begins_ms=NOON_MS + hour_ms, until_ms=NOON_MS + 2 * hour_ms)
    (alone,) = next_to_run([sharing[2], ahead], NOON_MS)
    assert alone.until_ms == NOON_MS + hour_ms, "the next hour's share nothing"


def test_a_transfer_that_had_no_turn_is_over_and_nobody_is_to_blame():
    scene = Scene(Keys())
    for number in (1, 2):
        scene.stores.transfers.plan(transfer(f"t-{number}", number))
    assert {one.message["id"] for one in scene.service.due(NOON_MS)} == {"t-1"}
    scene.service.due(NOON_MS + 58_000)
    assert scene.stores.transfers.get("t-2").state == "waiting"
    scene.service.due(NOON_MS + 59_000)
    for number in (1, 2):
        scene.hear(answer(f"node-{number}", "t-1", "done"))
    over = scene.stores.transfers.get("t-2")
    assert [(one.status, one.reason) for one in over.ends] == [("refused", "no_turn")] * 2
    assert over.state == "failed"
    assert scene.service.due(NOON_MS + 59_500) == []
    assert scene.alarms == []


def test_who_is_cut_by_the_others_turns_is_not_to_blame_who_has_until_delivery_ends_is():
    scene, hour_ms = Scene(Keys()), 3_600_000
    times = {"expires_ms": NOON_MS + hour_ms, "until_ms": NOON_MS + hour_ms}
    sharing = [transfer("t-1", 1, **times), replace(transfer("t-2", 2, **times), energy_wh=30)]
    assert scene.stores.transfers.plan_all(sharing) == sharing
    ends_ms = []
    for name in ("t-1", "t-2"):
        (until_ms,) = {one.message["until"] for one in scene.service.due(scene.now_ms)}
        ends_ms.append(until_ms)
        scene.now_ms = until_ms
        scene.restart()  # what a turn was is not in memory
        for number in (1, 2):
            scene.hear(answer(f"node-{number}", name, "failed", "until"))
    assert ends_ms == [NOON_MS + hour_ms // 4, NOON_MS + hour_ms]
    found = [scene.stores.transfers.get(name) for name in ("t-1", "t-2")]
    assert [one.state for one in found] == ["failed"] * 2
    assert [one.seller.reason for one in found] == ["turn_over", "until"]
    assert [one.detail for one in scene.alarms] == ["t-2: until"] * 2


@pytest.mark.parametrize("reason", ["lost_link", "overrun", "reset", "fault"])
def test_a_turn_that_ends_before_delivery_excuses_nothing_else(reason):
    scene, ends_ms = Scene(Keys()), NOON_MS + 3_600_000
    times = {"expires_ms": ends_ms, "until_ms": ends_ms}
    sharing = [transfer("t-1", 1, **times), transfer("t-2", 2, **times)]
    scene.stores.transfers.plan_all(sharing)
    scene.service.due(NOON_MS)
    scene.hear(answer("node-1", "t-1", "failed", reason))
    scene.hear(answer("node-2", "t-1", "failed", "until"))
    assert [one.detail for one in scene.alarms] == [f"t-1: {reason}"]


def test_transfers_are_planned_all_or_none():
    book = Scene(Keys()).stores.transfers
    broken = replace(transfer("t-2", 2), segment=None)
    with pytest.raises(IntegrityError):
        book.plan_all([transfer("t-1", 1), broken])
    assert book.all() == []
    assert book.plan(transfer("t-1", 1))
    new = transfer("t-2", 2)
    assert book.plan_all([transfer("t-1", 1), new]) == [new]


def test_when_one_end_fails_the_other_is_stopped():
    half = transfer(seller=end(1, "failed", "lost_link"), buyer=end(2, "accepted"))
    sent = commands(half, NOON_MS)
    assert [(one.device_id, one.message["op"]) for one in sent] == [
        ("node-2", "transfer"),
        ("node-2", "stop"),
    ]
    assert sent[1].message["transfer"] == "t-1"


def test_an_end_that_never_answered_is_not_begun_once_the_other_is_over():
    scene = Scene(Keys())
    scene.stores.transfers.plan(transfer())
    scene.hear(answer("node-1", "t-1", "failed", "lost_link"))
    assert [(one.device_id, one.message["op"]) for one in scene.service.due(NOON_MS)] == [
        ("node-2", "stop")
    ]
    scene.hear(answer("node-2", "t-1", "refused", "stopped"))
    over = scene.stores.transfers.get("t-1")
    assert (over.state, over.buyer.reason) == ("failed", "stopped")
    assert [alarm.device_id for alarm in scene.alarms] == ["node-1"]


def test_a_transfer_is_planned_once_and_only_between_nodes():
    trades = [("a", "IDG-1", "IDG-2", 5), ("b", "IDG-1", "IDG-9", 5), ("c", "IDG-2", "IDG-1", 0)]
    nodes = {"IDG-1": "node-1", "IDG-2": "node-2"}
    times = {"begins_ms": NOON_MS, "until_ms": NOON_MS + 60_000}
    (planned,) = plan_trades(trades, nodes, segment="bus", first_number=7, **times)
    assert (planned.transfer_id, planned.number) == ("a", 7)
    book = Scene(Keys()).stores.transfers
    assert [book.plan(planned), book.plan(planned)] == [True, False]
    assert book.next_number() == 8


def test_a_node_that_never_answers_is_given_up_when_its_relay_must_be_open():
    scene = Scene(Keys())
    scene.stores.transfers.plan(transfer())
    assert len(scene.service.due(NOON_MS)) == 2
    assert scene.service.due(NOON_MS + 1_999) == []
    assert len(scene.service.due(NOON_MS + 2_000)) == 2
    accepted = {"v": 1, "d": "node-1", "id": "t-1", "status": "accepted", "t": NOON_MS}
    scene.hear(("node-1/ack", json.dumps(accepted).encode()))
    scene.service.due(NOON_MS + 120_000)
    over = scene.stores.transfers.get("t-1")
    assert (over.state, over.seller.reason, over.buyer.reason) == (
        "failed",
        "no_answer",
        "no_answer",
    )


def answer(node: str, transfer_id: str, status: str, reason: str = "") -> tuple[str, bytes]:
    said = {"v": 1, "d": node, "id": transfer_id, "status": status, "t": NOON_MS}
    content = said | ({"reason": reason} if reason else {})
    return f"{node}/ack", json.dumps(content).encode()


@pytest.mark.parametrize("reason", ["lost_link", "overrun", "until", "reset", "fault"])
def test_a_node_that_leaves_a_transfer_undone_raises_an_alarm_its_next_one_ends(reason):
    scene = Scene(Keys())
    scene.stores.transfers.plan(transfer())
    scene.hear(answer("node-1", "t-1", "failed", reason))
    assert scene.alarms == [], "the other end is not over yet"
    for _ in range(2):
        scene.hear(answer("node-2", "t-1", "failed", "stopped"))
    assert [(one.kind, one.device_id, one.detail) for one in scene.alarms] == [
        ("transfer", "node-1", f"t-1: {reason}")
    ]
    scene.stores.transfers.plan(transfer("t-2", 2))
    scene.hear(answer("node-1", "t-2", "done"), answer("node-2", "t-2", "failed", "stopped"))
    assert [one.cleared_ms for one in scene.alarms[1:]] == [scene.now_ms]


def test_nodes_that_never_answered_raise_an_alarm_each():
    scene = Scene(Keys())
    scene.stores.transfers.plan(transfer())
    for later_ms in (0, 119_999, 120_000, 130_000):
        scene.service.due(NOON_MS + later_ms)
    assert [(one.kind, one.device_id, one.detail) for one in scene.alarms] == [
        ("transfer", "node-1", "t-1: no_answer"),
        ("transfer", "node-2", "t-1: no_answer"),
    ]


def test_a_final_answer_stays_and_strangers_change_nothing():
    scene = Scene(Keys())
    scene.stores.transfers.plan(transfer())
    for device, status in (("node-3", "done"), ("node-1", "done"), ("node-1", "failed")):
        answer = {"v": 1, "d": device, "id": "t-1", "status": status, "t": NOON_MS}
        scene.hear((f"{device}/ack", json.dumps(answer).encode()))
    found = scene.stores.transfers.get("t-1")
    assert (found.seller.status, found.buyer.status, found.state) == ("done", "", "waiting")

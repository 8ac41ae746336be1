"""What grows with time stays within a board's memory; the heap of these runs is 192 KiB."""

import gc

from meternode.commands import REMEMBERED_MAX
from meternode.outbox import Outbox
from meternode.reading import Reading
from world import START_MS, World

DAY_S = 86_400
RAW = bytes(range(64))


def check_a_day_of_readings_each_ten_seconds_fits_in_the_memory_of_a_board_on_flash(folder):
    outbox = Outbox(folder + "/o", 32, DAY_S // 10)
    gc.collect()
    for seq in range(1, DAY_S // 10 + 1):
        outbox.append(reading(seq), RAW[:32])
    assert len(outbox) == DAY_S // 10
    assert outbox.dropped == 0
    outbox = None
    gc.collect()
    loaded = Outbox(folder + "/o", 32, DAY_S // 10)
    assert len(loaded) == DAY_S // 10
    assert [entry.seq for entry, _ in loaded.after(0, 3)] == [1, 2, 3]


def check_the_memory_of_commands_is_bounded_and_forgets_the_old_only_on_flash(folder):
    world = World(folder + "/n")

    def stop(command_id):
        world.messages = []  # a board's heap has no room for a history
        world.command(id=command_id, op="stop", transfer=command_id + "-x")
        return next(answer for answer in world.all_of("ack") if answer["id"] == command_id)

    for number in range(REMEMBERED_MAX):
        assert stop(f"c-{number}")["status"] == "done"
    full = stop("c-full")
    assert (full["status"], full["reason"]) == ("refused", "busy")
    world.run(61, 0)
    assert stop("c-new")["status"] == "done"
    for number in range(5 * REMEMBERED_MAX):
        world.ticks.now += 60_001
        stop(f"d-{number}")
    world.restart()
    copy = world.command(id=f"d-{5 * REMEMBERED_MAX - 1}-x", op="switch", on=1)
    assert (copy["status"], copy["reason"]) == ("refused", "stopped")
    assert not world.node.plug.is_on, "the id was another command's"


def check_nobody_fills_the_memory_of_commands_for_ever_on_flash(folder):
    world = World(folder + "/n")
    far_ms = START_MS + 26 * 3_600_000
    for fields in ({"expires": far_ms}, {"until": far_ms}, {"expires": 1 << 53}):
        answer = world.transfer("t-far", **fields)
        assert (answer["status"], answer["reason"]) == ("refused", "bad_command"), fields
    assert world.transfer("t-far")["status"] == "accepted", "it was not begun"
    world.command(id="t-far-stop", op="stop", transfer="t-far")
    world.clock.set(START_MS + 400 * DAY_S * 1_000)
    for number in range(REMEMBERED_MAX):
        world.messages = []
        world.command(id=f"lie-{number}", op="stop", transfer=f"x-{number}")
    assert world.transfer("t-full")["reason"] == "busy"
    world.clock.set(START_MS)
    world.restart()
    answer = world.command(id="true", op="switch", on=1)
    assert (answer["status"], answer["on"]) == ("done", 1), "the time was wrong meanwhile"


def reading(seq):
    return Reading(seq, START_MS + 10_000 * seq, 2 * seq, 0, "measured")

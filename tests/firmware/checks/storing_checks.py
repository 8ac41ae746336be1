"""What is on flash: readings until they are stored, registers, and the power cut at any byte."""

import json
import os

from meternode.flash import Log, Record, read_bytes, write_bytes
from meternode.node import Sample
from meternode.outbox import SEGMENT_RECORDS, Outbox
from meternode.reading import Reading
from world import START_MS, World, sent, tell_time

RAW = bytes(range(64))


def check_readings_come_back_in_order_until_they_are_stored_on_flash(folder):
    outbox = Outbox(folder + "/o", 64, 1_000)
    for seq in range(1, 201):
        outbox.append(reading(seq), RAW)
    assert len(outbox) == 200
    assert seqs_of(outbox) == list(range(1, 201))
    outbox.stored([(1, 70), (75, 75)])
    assert seqs_of(outbox) == [71, 72, 73, 74] + list(range(76, 201))
    again = Outbox(folder + "/o", 64, 1_000)
    assert seqs_of(again) == list(range(65, 201)), "a reset sends what was stored of a file again"
    again.stored([(1, 200)])
    assert len(again) == 0
    found = again.last_reading()
    assert (found.seq, found.import_wh, found.quality) == (200, 400, "measured")


def check_a_full_outbox_drops_the_oldest_and_counts_them_on_flash(folder):
    outbox = Outbox(folder + "/o", 64, SEGMENT_RECORDS)
    for seq in range(1, 5 * SEGMENT_RECORDS + 1):
        outbox.append(reading(seq), RAW)
    assert len(outbox) + outbox.dropped == 5 * SEGMENT_RECORDS
    assert len(outbox) >= SEGMENT_RECORDS
    assert seqs_of(outbox)[-1] == 5 * SEGMENT_RECORDS
    assert len(os.listdir(folder + "/o")) <= 3


def check_a_power_cut_at_any_byte_loses_at_most_the_reading_being_written_on_flash(folder):
    path = folder + "/o"
    outbox = Outbox(path, 64, 1_000)
    for seq in (1, 2):
        outbox.append(reading(seq), RAW)
    name = path + "/" + os.listdir(path)[0]
    whole = read_bytes(name)
    size = len(whole) // 2
    for length in range(size, 2 * size):
        write_bytes(name, whole[:length])
        after = Outbox(path, 64, 1_000)
        assert seqs_of(after) == [1], length
        after.append(reading(2), RAW)
        assert seqs_of(Outbox(path, 64, 1_000)) == [1, 2], length
        for extra in os.listdir(path):
            if path + "/" + extra != name:
                os.remove(path + "/" + extra)


def check_a_record_survives_a_cut_of_its_newer_copy_on_flash(folder):
    record = Record(folder + "/r")
    for value in (1, 2, 3):
        record.save({"value": value})
    assert Record(folder + "/r").load() == {"value": 3}
    newest = folder + "/r.1"
    whole = read_bytes(newest)
    for length in range(len(whole)):
        write_bytes(newest, whole[:length])
        assert Record(folder + "/r").load() == {"value": 2}, length
    assert Record(folder + "/none").load() is None


def check_a_log_leaves_out_a_torn_line_and_goes_on_after_it_on_flash(folder):
    path = folder + "/l"
    log = Log(path)
    log.append({"n": 1})
    first = len(read_bytes(path))
    log.append({"n": 2})
    whole = read_bytes(path)
    for length in range(first, len(whole) - 1):
        write_bytes(path, whole[:length])
        torn = Log(path)
        assert list(torn.entries()) == [{"n": 1}], length
        torn.append({"n": 3})
        assert list(Log(path).entries()) == [{"n": 1}, {"n": 3}], length
    torn.compact([{"n": 3}])
    assert list(Log(path).entries()) == [{"n": 3}]


def check_registers_and_seq_survive_any_reset_on_flash(folder):
    world = World(folder + "/n", interval_ms=60_000)
    seen = []
    for step in range(30):
        world.run(37, 3_600_000 if step % 2 else -3_600_000)
        seen.append(world.node.metering.registers.record())
        world.restart()
        now = world.node.metering.registers
        assert now.seq == seen[-1]["seq"], "no seq comes twice"
        assert now.imported.wh >= seen[-1]["imported"][0] - 60, "at most what was not yet saved"
        for before in seen:
            assert now.imported.wh >= before["imported"][0] - 60
    numbers = sent_seqs(world)
    assert numbers == sorted(set(numbers))
    ends = [message["t_end"] for message in sent(world)]
    assert ends == sorted(set(ends))
    assert all(end % 60_000 == 0 for end in ends)
    imports = [message["imp_wh"] for message in sent(world)]
    assert imports == sorted(imports)


def check_a_reset_while_a_reading_is_being_signed_loses_nothing_on_flash(folder):
    world = World(folder + "/n", interval_ms=60_000)
    for _ in range(60):
        world.ticks.now += 1_000
        world.node.sample(Sample(3_600_000))
    assert world.node.metering.sign_step()  # begun, not ended
    world.restart()
    assert sent_seqs(world) == []
    world.node.metering.sign_all()
    assert sent_seqs(world) == [1]
    world.restart()  # it is in the outbox and not in the record of unsigned ones any more
    world.node.metering.sign_all()
    assert sent_seqs(world) == [1]


def check_a_power_cut_over_the_end_of_an_interval_is_an_estimate_on_flash(folder):
    world = World(folder + "/n", interval_ms=60_000)
    world.run(61, 3_600_000)
    world.restart()
    world.clock._offset_ms = None  # as a board starts; the gateway tells the time later
    world.run(10, 3_600_000)
    tell_time(world, START_MS + 620_000)
    world.run(70, 3_600_000)
    found = [(message["t_end"] - START_MS, message["q"]) for message in sent(world)]
    assert found == [(60_000, "measured"), (600_000, "estimated"), (660_000, "estimated")]


def check_half_an_hour_offline_is_delivered_later_in_order_on_flash(folder):
    world = World(folder + "/n", interval_ms=60_000)
    world.node.sample(Sample(3_600_000))  # counting begins
    world.run(30 * 60 + 1, 3_600_000, link=False)
    assert world.node.metering.waiting() == 30
    world.node.connected()
    messages = sent(world)
    assert [message["seq"] for message in messages] == list(range(1, 31))
    assert [message["t_end"] for message in messages] == [
        START_MS + 60_000 * minute for minute in range(1, 31)
    ]
    assert [message["imp_wh"] for message in messages] == [60 * minute for minute in range(1, 31)]
    world.node.receive("stored", json.dumps({"v": 1, "m": "node-1", "seqs": [[1, 30]]}))
    assert world.node.metering.waiting() == 0
    assert world.node.metering.has_been_stored


def check_what_the_gateway_does_not_call_stored_is_sent_again_on_flash(folder):
    world = World(folder + "/n", interval_ms=60_000)
    world.run(180, 0)
    metering = world.node.metering
    for seq, _ in metering.readings_to_send(10):
        metering.sent(seq)
    assert metering.readings_to_send(10) == []
    world.node.receive("stored", json.dumps({"v": 1, "m": "node-1", "seqs": [[1, 1]]}))
    world.ticks.now += 60_000
    assert [seq for seq, _ in metering.readings_to_send(10)] == [2, 3]


def check_bad_stored_and_time_messages_change_nothing_on_flash(folder):
    world = World(folder + "/n", interval_ms=60_000)
    world.run(61, 0)
    for raw in ("", "{", "[]", '{"seqs":1}', '{"seqs":[[1]]}', '{"seqs":[["a","b"]]}', "null"):
        world.node.receive("stored", raw)
        world.node.receive("time", raw)
    for pair in ("1,1e999", "-1e999,1", "NaN,1", "true,true", "0.5,1.5", '"1","1"'):
        world.node.receive("stored", '{"seqs":[[' + pair + "]]}")
    assert world.node.metering.waiting() == 1


def check_a_measurement_has_what_the_sensors_tell_on_flash(folder):
    world = World(folder + "/n", measure_ms=1_000)
    world.ticks.now += 1_000
    world.node.sample(Sample(10_540, 12_400, 850, 640, ("u_saturated",)))
    world.carry()
    assert world.last_measure == {
        "v": 1,
        "d": "node-1",
        "t": START_MS + 1_000,
        "u_mv": 12_400,
        "i_ma": 850,
        "p_mw": 10_540,
        "soc_permille": 640,
        "flags": ["u_saturated"],
    }


def reading(seq):
    return Reading(seq, START_MS + 10_000 * seq, 2 * seq, 0, "measured")


def seqs_of(outbox):
    seqs, last = [], 0
    while True:
        found = outbox.after(last, 16)
        if not found:
            return seqs
        assert all(raw == RAW for _, raw in found)
        seqs += [entry.seq for entry, _ in found]
        last = seqs[-1]


def sent_seqs(world):
    return [message["seq"] for message in sent(world)]

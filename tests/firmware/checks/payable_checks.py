"""What is paid for is what is signed: a transfer's events and the registers count alike."""

from world import World, sent

ROWS = {"check_200_watts_for_224_seconds_are_0_0125_kwh_on_flash": ("E083",)}
P_200_W, P_3600_W = 200_000, 3_600_000


def check_200_watts_for_224_seconds_are_0_0125_kwh_on_flash(folder):
    for account, sign in (("IDG-1", -1), ("IDG-2", 1)):
        world = World(folder + "/" + account, account=account, interval_ms=60_000)
        world.transfer("t-1", energy_wh=1_000)
        world.run(224, sign * P_200_W)
        world.command(id="t-1-stop", op="stop", transfer="t-1")
        start, stop = world.all_of("event")
        assert start == {
            "name": "Payable Energy",
            "event": "start",
            "time": 0,
            "energy": 0,
            "id": "t-1",
            "d": "node-1",
        }
        assert (stop["name"], stop["event"], stop["time"]) == ("Payable Energy", "stop", 224)
        assert abs(stop["energy"] - 0.0125) < 0.0125 / 100
        world.run(16, 0)  # to the end of the fourth minute, which is signed
        signed = sent(world)[-1]
        register = "exp_wh" if sign < 0 else "imp_wh"
        assert signed[register] == int(stop["energy"] * 1_000) == 12, "of the same 12.44 Wh"


def check_after_a_stall_a_transfer_counts_what_the_registers_count_on_flash(folder):
    world = World(folder, account="IDG-2", interval_ms=900_000)
    world.transfer("t-1", energy_wh=1_000)
    world.run(3, P_3600_W)  # a watt-hour each second
    for stalled_ms in (8_000, 2_000, 600_000):
        world.ticks.now += stalled_ms
        world.run(1, P_3600_W)
    world.command(id="t-1-stop", op="stop", transfer="t-1")
    stop = world.all_of("event")[-1]
    assert world.node.metering.registers.imported.wh == 3 + 5 + 3 + 5
    assert stop["energy"] == 0.016

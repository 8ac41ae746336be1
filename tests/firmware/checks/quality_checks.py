"""What a reading says of how its hour was measured, against the vectors the contract has too."""

import json

from meternode.node import Sample
from world import World, sent

POWER_MW = 3_600_000
SAMPLE_MS = 60_000
SAMPLES = {
    "good": Sample(POWER_MW),
    "reset": Sample(POWER_MW),
    "saturated": Sample(None, flags=("u_saturated",)),
    "silent": Sample(None),
    "uncalibrated": Sample(POWER_MW, flags=("uncalibrated",)),
}


def check_the_quality_of_an_hour_is_that_of_the_shared_vectors_on_flash(folder):
    with open(
        __file__.replace("firmware/checks/quality_checks.py", "vectors/qualities.json")
    ) as file:
        vectors = json.load(file)
    interval_ms = vectors["interval_ms"]
    world = World(folder + "/n", interval_ms=interval_ms, sample_ms=SAMPLE_MS)
    world.node.sample(SAMPLES["good"])
    for hour in vectors["hours"]:
        for quarter in hour["quarters"]:
            play(world, quarter, interval_ms // SAMPLE_MS)
    found = [message["q"] for message in sent(world)]
    assert found == [word for hour in vectors["hours"] for word in hour["q"]]
    assert len(found) == 4 * len(vectors["hours"]) >= 28


def play(world, quarter, samples):
    """A quarter of an hour; it is over with its last sample."""
    for number in range(samples):
        world.ticks.now += SAMPLE_MS
        world.node.sample(SAMPLES[quarter])
        world.node.metering.sign_all()
        world.carry()
        if quarter == "reset" and number == samples // 2:
            world.restart()

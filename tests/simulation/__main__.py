"""`python -m tests.simulation --seeds N --validators 4 [--seed S]`: run or replay seeds."""

import argparse
import sys

from tests.simulation.invariants import Violation
from tests.simulation.world import World


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--seed", type=int, help="replay this one seed")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--validators", type=int, default=4)
    options = parser.parse_args()
    seeds = (
        [options.seed]
        if options.seed is not None
        else range(options.first, options.first + options.seeds)
    )
    worst_ms = failures = events = 0
    for seed in seeds:
        world = World(seed=seed, validators=options.validators)
        try:
            report = world.run()
        except Violation as violation:
            failures += 1
            sys.stdout.write(f"seed {seed}: {violation}\n  swarm: {world.swarm}\n")
            replay = f"--validators {options.validators} --seed {seed}"
            sys.stdout.write(f"  replay: python -m tests.simulation {replay}\n")
            continue
        worst_ms = max(worst_ms, report.calm_ms)
        events += report.events
        if options.seed is not None:
            sys.stdout.write(f"{report}\n")
    sys.stdout.write(
        f"{len(seeds)} seeds, {failures} failures, {events} events, "
        f"slowest calm phase {worst_ms} virtual ms\n"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""Which faults a seed has, and how often: drawn anew, so that seeds differ in kind.

A profile says what a run is after; the seed then switches each class of fault on or off by itself
and draws its rate. At most f validators of a seed lie or have a disk that forgets.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ledger.consensus.limits import BASE_TIMEOUT_MS, MAX_TIMEOUT_MS
from tests.simulation.disk import DiskFaults

DELAY_BOUND_MS = BASE_TIMEOUT_MS // 4
"""D: after stabilisation every message arrives within this time."""
LIVENESS_CAP_MS = 16 * DELAY_BOUND_MS
MINUTES_10_MS = 600_000


class Profile(StrEnum):
    """What the seeds of a run are rich in."""

    SAFETY = "safety"
    """Everything at once: liars, crashes, a hostile network, clocks, load."""
    LIVENESS = "liveness"
    """The same network and liars for 60 D, then the time until everyone commits again."""
    DISK = "disk"
    """Crashes at every boundary, failing and forgetful disks, restored copies."""
    MEMBERSHIP = "membership"
    """The validator set changes while the network misbehaves."""


class Byzantine(StrEnum):
    """What the faulty validators do."""

    NONE = "none"
    TWIN = "twin"
    """Two correct nodes share one key (and one of them forgets its journal when it crashes)."""
    MIXED = "twin and liar"
    """Two correct nodes and a liar share one key."""
    ADVERSARY = "adversary"
    """Votes for anything, hides locks, proposes twice, completes old certificates."""
    SILENT = "silent"
    """Never says a word."""
    BAD_DISK = "bad disk"
    """Correct, on a disk that loses or misplaces synced bytes without a sign."""


class Partition(StrEnum):
    """Who hears whom while the network is split."""

    UNIFORM = "uniform"
    HALF = "half"
    SINGLE = "single"
    RING = "ring"


@dataclass(frozen=True, slots=True)
class NetworkFaults:
    """Chances per message; times in virtual milliseconds."""

    loss: float = 0
    duplicate: float = 0
    mean_delay_ms: int = DELAY_BOUND_MS // 5
    tail: float = 0
    """A delay stretched up to 20 D."""
    clog: float = 0
    """A message blocks its link for a while; what follows it waits."""
    partition_every_ms: int = 0
    partitions: tuple[Partition, ...] = tuple(Partition)
    asymmetric: bool = False
    reset_every_ms: int = 0
    """Connections break: what is under way on them is lost."""


@dataclass(frozen=True, slots=True)
class ProcessFaults:
    """`crash` is the chance at each fail point; a power cut also loses unsynced writes."""

    crash: float = 0
    power_share: float = 0.5
    pause_every_ms: int = 0
    pause_ms_max: int = 0


@dataclass(frozen=True, slots=True)
class ClockFaults:
    """How wrong clocks are."""

    skew_ms_max: int = 0
    drift_permille: int = 0
    jump_every_ms: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What clients do during chaos."""

    transactions: int = 4
    burst: bool = False
    duplicates: float = 0
    conflicts: float = 0
    largest: float = 0


@dataclass(frozen=True, slots=True)
class Swarm:
    """Everything a seed has drawn."""

    network: NetworkFaults
    process: ProcessFaults
    disk: DiskFaults
    clock: ClockFaults
    load: Load
    byzantine: Byzantine
    faulty: int
    """Validators that lie or whose disk lies."""
    forgetful: int
    """Honest validators whose disk is lost, damaged or restored from a copy; they must notice."""
    chaos_ms: int
    calm_heights: int
    base_timeout_ms: int = BASE_TIMEOUT_MS
    max_timeout_ms: int = MAX_TIMEOUT_MS
    rotation_bytes: int = 16 * 1024
    space_short_every_ms: int = 0
    """Some disk has so little room left that its validator stops voting; later there is more."""
    mixed_versions: bool = False
    """Some validators run an older or a newer version; they are upgraded one at a time."""
    config_changes: int = 0
    """Proposals to change the validator set or the limits."""


LIARS = {
    Byzantine.TWIN: 5,
    Byzantine.MIXED: 2,
    Byzantine.ADVERSARY: 4,
    Byzantine.SILENT: 2,
    Byzantine.NONE: 1,
}
"""How often a seed has which: twins first, then those who tell the lies of the catalogue."""
LIARS_OF_DISK = {Byzantine.TWIN: 2, Byzantine.BAD_DISK: 1, Byzantine.NONE: 1}
"""In the profile about disks, where what is honest must remember."""
MIXED_VERSIONS = 0.1


def quiet_swarm(chaos_ms: int) -> Swarm:
    """No faults at all: for scripted runs, which plan their own."""
    return Swarm(
        network=NetworkFaults(),
        process=ProcessFaults(),
        disk=DiskFaults(),
        clock=ClockFaults(),
        load=Load(transactions=3),
        byzantine=Byzantine.NONE,
        faulty=0,
        forgetful=0,
        chaos_ms=chaos_ms,
        calm_heights=1,
    )


def draw_swarm(rng: random.Random, profile: Profile, *, max_faulty: int) -> Swarm:
    """All draws are made for every profile, so that a change of one leaves the others alike."""
    swarm = Swarm(
        network=_network(rng),
        process=ProcessFaults(
            crash=rng.choice([0, 0.0005, 0.002, 0.006]),
            power_share=rng.choice([0, 0.5, 1]),
            pause_every_ms=rng.choice([0, 0, 5_000, 20_000]),
            pause_ms_max=rng.choice([2_000, 10_000, 60_000]),
        ),
        disk=DiskFaults(
            sync_fails=rng.choice([0, 0, 0, 0.003]),
            write_fails=rng.choice([0, 0, 0, 0.003]),
            slow=rng.choice([0, 0, 0.02]),
            slow_ms_max=1_000,
        ),
        clock=_clock(rng),
        load=_load(rng),
        byzantine=_liar(rng, profile) if max_faulty else Byzantine.NONE,
        faulty=rng.randint(1, max(1, max_faulty)),
        forgetful=0,
        chaos_ms=rng.choice([20, 40, 60]) * DELAY_BOUND_MS,
        calm_heights=rng.choice([1, 1, 1, 2]),
        max_timeout_ms=rng.choice([LIVENESS_CAP_MS, MAX_TIMEOUT_MS]),
        space_short_every_ms=rng.choice([0, 0, 0, 4_000]),
        mixed_versions=rng.random() < MIXED_VERSIONS,
    )
    if swarm.byzantine is Byzantine.NONE:
        swarm = replace(swarm, faulty=0)
    forgetful = rng.randint(0, max_faulty - swarm.faulty) if max_faulty else 0
    return _of_profile(replace(swarm, forgetful=forgetful), rng, profile)


def _of_profile(swarm: Swarm, rng: random.Random, profile: Profile) -> Swarm:
    if profile is Profile.LIVENESS:
        return replace(
            swarm,
            disk=DiskFaults(),
            forgetful=0,
            chaos_ms=60 * DELAY_BOUND_MS,
            calm_heights=3,
            max_timeout_ms=LIVENESS_CAP_MS,
        )
    if profile is Profile.MEMBERSHIP:
        return replace(swarm, config_changes=rng.randint(2, 6), calm_heights=3)
    if profile is Profile.DISK:
        return replace(
            swarm,
            process=replace(swarm.process, crash=rng.choice([0.002, 0.01, 0.03])),
            disk=DiskFaults(
                sync_fails=rng.choice([0, 0.005, 0.02]),
                write_fails=rng.choice([0, 0.005, 0.02]),
                read_fails=rng.choice([0, 0.02, 0.1]),
                slow=rng.choice([0, 0.1]),
                slow_ms_max=1_000,
            ),
        )
    return swarm


def _liar(rng: random.Random, profile: Profile) -> Byzantine:
    if profile is Profile.DISK:
        return _choice(rng, LIARS_OF_DISK)
    return _choice(rng, LIARS)


def _choice(rng: random.Random, weights: Mapping[Byzantine, int]) -> Byzantine:
    return rng.choices(list(weights), list(weights.values()))[0]


def _network(rng: random.Random) -> NetworkFaults:
    return NetworkFaults(
        loss=rng.choice([0, 0.02, 0.1, 0.25]),
        duplicate=rng.choice([0, 0, 0.05, 0.2]),
        mean_delay_ms=rng.choice([50, 200, 600]),
        tail=rng.choice([0, 0.05]),
        clog=rng.choice([0, 0, 0.02]),
        partition_every_ms=rng.choice([0, 3_000, 9_000]),
        partitions=tuple(p for p in Partition if rng.random() < 0.5) or (Partition.UNIFORM,),
        asymmetric=rng.random() < 0.3,
        reset_every_ms=rng.choice([0, 0, 2_000]),
    )


def _clock(rng: random.Random) -> ClockFaults:
    return ClockFaults(
        skew_ms_max=rng.choice([0, 0, 3_000, MINUTES_10_MS]),
        drift_permille=rng.choice([0, 0, 10]),
        jump_every_ms=rng.choice([0, 0, 0, 10_000]),
        stopped=rng.random() < 0.05,
    )


def _load(rng: random.Random) -> Load:
    return Load(
        transactions=rng.randint(2, 5),
        burst=rng.random() < 0.2,
        duplicates=rng.choice([0, 0, 0.3]),
        conflicts=rng.choice([0, 0.5]),
        largest=rng.choice([0] * 60 + [0.2]),
    )

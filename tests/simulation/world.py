"""One simulated consortium of shipped validators: virtual clock, one seed, two phases.

Chaos: no promise about time, faults as the seed's swarm has them. Calm: messages arrive within D,
processes run, disks and clocks work, faulty validators stay faulty; now everything submitted must
commit on every honest node within a bound (I14). Everything random comes from the seed, one
generator for each purpose, so a seed replays exactly.
"""

import heapq
import math
import random
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ledger.consensus.core import Core
from ledger.consensus.messages import Message, Payload, Signed
from ledger.consensus.quorum import max_faulty
from ledger.consensus.round_state import CoreSettings
from ledger.errors import InvalidMessage, NodeFault
from ledger.node.committing.committer import CommittedBlock
from ledger.ordering.consensus_codec import decode_message
from ledger.wire.validator_pb2 import Item
from tests.simulation.adversary import Adversary
from tests.simulation.byzantine.tally import lies_told
from tests.simulation.clock import NodeClock
from tests.simulation.disasters import Disasters
from tests.simulation.disk import DiskFaults, SimulatedDisk
from tests.simulation.event_loop import leave_loop
from tests.simulation.invariants import WorldMonitor
from tests.simulation.keys import SPARE_MEMBERS, START_MS, sim_consortium
from tests.simulation.membership import Membership
from tests.simulation.network import Network
from tests.simulation.node import SimNode, standard_core
from tests.simulation.observer import Observer, Violation
from tests.simulation.operators import Operators
from tests.simulation.parcels import Parcels
from tests.simulation.places import Place, Silent, describe
from tests.simulation.shared import (
    ConfigVerdicts,
    RememberedPolicies,
    RememberedSignatures,
    shared_parts,
)
from tests.simulation.swarm import (
    DELAY_BOUND_MS,
    LIVENESS_CAP_MS,
    Byzantine,
    Profile,
    Swarm,
    draw_swarm,
)
from tests.simulation.versions import Forms, Version
from tests.simulation.workload import Workload

CALM_BOUND_MS = {True: 100 * DELAY_BOUND_MS, False: 600 * DELAY_BOUND_MS}
"""Virtual time for the calm heights, by whether the timeout cap is 16 D: with the shipped cap one
timeout alone is 120 D."""
RESTART_AFTER_MS = (50, 8_000)
EVENTS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Report:
    """What a seed did; equal for equal seeds."""

    seed: int
    validators: int
    profile: Profile
    byzantine: Byzantine
    events: int
    height: int
    max_round: int
    crashes: int
    faults: int
    evidence: int
    transactions: int
    recovery_ms: int
    """From the beginning of calm until the first block after it is everywhere."""
    calm_ms: int
    """Until all blocks of the calm phase are everywhere."""
    tally: Mapping[str, int]
    """How often each fault happened and each lie was told."""
    trace: int


class World:
    """Runs one seed. Slots are places in the network; a twin gives two slots one identity."""

    def __init__(
        self,
        *,
        seed: int,
        validators: int,
        profile: Profile | str = Profile.SAFETY,
        real_signatures: bool = False,
        core_factory: Callable[[CoreSettings], Core] = standard_core,
        observer_factory: Callable[["World"], Observer] = WorldMonitor,
        swarm: Swarm | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.seed = seed
        self.profile = Profile(profile)
        self.core_factory = core_factory
        self.consortium = sim_consortium(validators, real_signatures=real_signatures)
        self.identities = tuple(range(1, validators + 1))
        """The validators at the beginning."""
        spares = SPARE_MEMBERS if self.profile is Profile.MEMBERSHIP else 0
        self.everyone = tuple(range(1, validators + spares + 1))
        """Also nodes that only follow at first."""
        self.max_faulty = max_faulty(validators)
        self.swarm = swarm or draw_swarm(
            self._rng("swarm"), self.profile, max_faulty=self.max_faulty
        )
        self.adversary_rng = self._rng("adversary")
        self._process_rng = self._rng("process")
        self._clock_rng = self._rng("clock")
        self.random_bytes = self._rng("nonces").randbytes
        self.now_ms = START_MS
        self.is_calm = False
        self._log = log
        self._counts = {"crashes": 0, "faults": 0, "evidence": 0, "round": 0}
        self.tally: Counter[str] = Counter()
        """How often each fault happened."""
        self.trace = 0
        self.events = 0
        self._serial = 0
        self.running_loop: object = None
        """Whose turn it is."""
        self._has_news = False
        """Some node may be higher than before."""
        self._queue: list[tuple[int, int, int, Callable[..., None], tuple[Any, ...]]] = []
        shared = shared_parts(self.consortium)
        self.memory, self.signatures = shared.memory, RememberedSignatures(shared.signatures)
        self.channel_state = shared.channel_state
        self.config_verdicts = ConfigVerdicts()
        self.policies = lru_cache(maxsize=100)(RememberedPolicies)
        """By the shipped policies of a configuration."""
        self.parcels = Parcels()
        self.forms = Forms()
        self.decode = lru_cache(maxsize=1_000)(decode_message)
        faulty = self._rng("faulty").sample(self.identities, self.swarm.faulty)
        self.byzantine = frozenset(faulty)
        self.network = Network(self, self._rng("network"), self.swarm.network)
        self.places: list[Place] = []
        self._make_places(shared.image)
        self.nodes = [place for place in self.places if isinstance(place, SimNode)]
        self.honest = [node for node in self.nodes if node.is_honest]
        self._places_of = {
            identity: tuple(p for p in self.places if p.identity == identity)
            for identity in self.everyone
        }
        self.workload = Workload(self, self._rng("workload"), self.swarm.load)
        self.membership = Membership(self, self._rng("membership"))
        self.operators = Operators(self, self._rng("operators"))
        self.disasters = Disasters(self, self._rng("disasters"))
        self.observer = observer_factory(self)

    def _rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed} {purpose}")

    def _make_places(self, image: Any) -> None:
        kind = self.swarm.byzantine
        for identity in self.everyone:
            if identity not in self.byzantine:
                self._add_node(identity, image, is_honest=True)
            elif kind in {Byzantine.TWIN, Byzantine.MIXED}:
                self._add_node(identity, image, is_honest=False, is_twin=True)
                self._add_node(identity, image, is_honest=False, is_twin=True, forgets=True)
                if kind is Byzantine.MIXED:
                    self._add_liar(identity)
            elif kind is Byzantine.BAD_DISK:
                self._add_node(identity, image, is_honest=False)
            elif kind is Byzantine.ADVERSARY:
                self._add_liar(identity)
            else:
                self.places.append(Silent(slot=len(self.places), identity=identity))

    def _add_liar(self, identity: int) -> None:
        self.places.append(Adversary(world=self, slot=len(self.places), identity=identity))

    def _add_node(
        self,
        identity: int,
        image: Any,
        *,
        is_honest: bool,
        is_twin: bool = False,
        forgets: bool = False,
    ) -> None:
        slot = len(self.places)
        disk = SimulatedDisk(self._rng(f"disk {slot}"), image)
        clock = self._clock(disk)
        self.places.append(
            SimNode(
                world=self,
                slot=slot,
                identity=identity,
                disk=disk,
                clock=clock,
                is_honest=is_honest,
                is_twin=is_twin,
                forgets=forgets,
            )
        )

    def _clock(self, disk: SimulatedDisk) -> NodeClock:
        faults, rng = self.swarm.clock, self._clock_rng
        clock = NodeClock(
            self,
            disk,
            offset_ms=rng.randint(-faults.skew_ms_max, faults.skew_ms_max),
            drift_permille=rng.randint(-faults.drift_permille, faults.drift_permille),
        )
        if faults.stopped and rng.random() < 0.3:
            clock.stop()
        self.tally["wrong clock"] += bool(
            clock.offset_ms or clock.drift_permille or faults.stopped
        )
        return clock

    # -- running ----------------------------------------------------------------------------------

    def run(self) -> Report:
        """Chaos, then calm; raises `Violation`."""
        try:
            for node in self.nodes:
                node.disk.faults = DiskFaults()  # until chaos begins
                node.install()
            for place in self.places:
                place.start()
            self._begin_chaos()
            end_ms = START_MS + self.swarm.chaos_ms
            while self._queue and self._queue[0][0] < end_ms:
                self._next()
            self.now_ms = end_ms
            self._calm_down()
            recovery_ms, calm_ms = self._run_calm()
            self.observer.finished()
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"I17: {type(error).__name__}: {error}") from error
        finally:
            leave_loop()
        return self._report(recovery_ms, calm_ms)

    def dissolve(self) -> None:
        """Break the references in circles: collecting them would cost a fifth of all time."""
        for place in self.places:
            place.__dict__.clear()
        self.__dict__.clear()

    def _report(self, recovery_ms: int, calm_ms: int) -> Report:
        return Report(
            seed=self.seed,
            validators=len(self.identities),
            profile=self.profile,
            byzantine=self.swarm.byzantine,
            events=self.events,
            height=max(node.store.height() - 1 for node in self.honest),
            max_round=self._counts["round"],
            crashes=self._counts["crashes"],
            faults=self._counts["faults"],
            evidence=self._counts["evidence"],
            transactions=self.workload.submitted,
            recovery_ms=recovery_ms,
            calm_ms=calm_ms,
            tally=self.tally + Counter({str(lie): n for lie, n in lies_told(self).items()}),
            trace=self.trace,
        )

    def _next(self) -> None:
        self.now_ms, _, place, act, arguments = heapq.heappop(self._queue)
        self.events += 1
        self.trace = (self.trace * 31 + self.now_ms + place) & 0xFFFFFFFF
        if self.events > EVENTS_MAX:
            raise Violation("I16: message storm")
        act(*arguments)

    def at(self, delay_ms: int, place: int, act: Callable[..., None], *arguments: Any) -> None:
        """Plan something; what is planned for one moment happens in the order of planning."""
        self._serial += 1
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self._serial, place, act, arguments))

    def log(self, text: str) -> None:
        """A line of the event log, when one is kept."""
        if self._log is not None:
            self._log(f"{self.now_ms - START_MS:>7} ms  {text}")

    # -- chaos ------------------------------------------------------------------------------------

    def _begin_chaos(self) -> None:
        swarm = self.swarm
        for node in self.nodes:
            node.disk.faults = swarm.disk
        self.workload.plan(swarm.chaos_ms)
        self.disasters.plan()
        self.membership.plan(swarm.config_changes)
        self.operators.plan()
        self._every(swarm.network.partition_every_ms, self.network.change_partition)
        self._every(swarm.network.reset_every_ms, self.network.reset_connection)
        self._every(swarm.process.pause_every_ms, self._pause_someone)
        self._every(swarm.clock.jump_every_ms, self._jump_a_clock)

    def _every(self, period_ms: int, act: Callable[[], None]) -> None:
        if period_ms:
            for at_ms in range(period_ms // 2, self.swarm.chaos_ms, period_ms):
                self.at(at_ms, 0, act)

    def _pause_someone(self) -> None:
        node = self._process_rng.choice(self.nodes)
        duration_ms = self._process_rng.randint(100, self.swarm.process.pause_ms_max)
        if node.alive:
            self.tally["pause"] += 1
            self.log(f"node {node.slot} pauses for {duration_ms} ms")
            node.pause(duration_ms)

    def _jump_a_clock(self) -> None:
        rng, faults = self._clock_rng, self.swarm.clock
        bound_ms = faults.skew_ms_max or 3_000
        self.tally["clock jump"] += 1
        rng.choice(self.nodes).clock.offset_ms = rng.randint(-bound_ms, bound_ms)

    def reaches_until_crash(self) -> int:
        """How many fail points a process passes before it dies; -1: it lives."""
        chance = self.swarm.process.crash
        if self.is_calm or not chance:
            return -1
        return 1 + int(math.log(1 - self._process_rng.random()) / math.log(1 - chance))

    # -- calm -------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        self.is_calm = True
        self.log("calm")
        for node in self.nodes:
            node.disk.faults = DiskFaults()
            node.clock.set_right()
        self.network.heal()
        for node in self.nodes:
            node.survive()
        self.operators.calm()
        self.observer.calm()

    def _run_calm(self) -> tuple[int, int]:
        """Virtual milliseconds until the first, and until the last calm block is everywhere."""
        began_ms = self.now_ms
        bound_ms = CALM_BOUND_MS[self.swarm.max_timeout_ms <= LIVENESS_CAP_MS]
        times: list[int] = []
        for _ in range(self.swarm.calm_heights):
            height = max(node.height for node in self.honest)
            self.workload.submit_calm()
            self._has_news = True
            while not self._has_news or not self._is_everywhere(height + 1):
                self._has_news = False
                if self.now_ms - began_ms > bound_ms or not self._queue:
                    raise Violation(
                        f"I14: no new block everywhere {self.now_ms - began_ms} ms after "
                        "the network became calm"
                    )
                self._next()
            times.append(self.now_ms - began_ms)
        return times[0], times[-1]

    def _is_everywhere(self, height: int) -> bool:
        return all(node.height >= height for node in self.honest)

    # -- what places use --------------------------------------------------------------------------

    def send(self, source: Place, to: int, item: Item) -> None:
        """Give an item to the network."""
        if isinstance(source, SimNode):
            waited_ms = source.disk.spent_ms
            if source.version is not Version.SHIPPED:
                item = self.forms.of(item, source.version)
            self.observer.sent(source, to, item)
        else:
            waited_ms = 0
        network, from_slot = self.network, source.slot
        for place in self._places_of[to]:
            slot = place.slot
            epoch = network.epochs.get((from_slot, slot), 0)
            hears_at_once = place.__class__ is Adversary
            delays = (0,) if hears_at_once else network.delays(from_slot, slot)
            for delay_ms in delays:
                self.at(waited_ms + delay_ms, slot, self._arrive, source, place, item, epoch)

    def _arrive(self, source: Place, place: Place, item: Item, epoch: int) -> None:
        if place.alive and epoch == self.network.epochs.get((source.slot, place.slot), 0):
            if self._log is not None:
                self.log(f"{source.slot} -> {place.slot}  {describe(item)}")
            if isinstance(place, SimNode):
                self.observer.received(place, source.identity, item)
            place.work(place.receive, item, source.identity)

    def connected(self, place: Place, consenter_id: int) -> None:
        if place.alive:
            place.work(place.on_connected, consenter_id)

    def crashed(self, node: SimNode, reason: str) -> None:
        """The process died; somebody starts it again."""
        power_cut = self._process_rng.random() < self.swarm.process.power_share
        self._counts["crashes"] += 1
        self.tally[f"crash {reason}"] += 1
        self.tally["power cut"] += power_cut
        self.log(f"node {node.slot} crashes {reason}{', power cut' if power_cut else ''}")
        node.die(power_cut=power_cut)
        self.observer.crashed(node, reason)
        self._restart_later(node)

    def stopped(self, node: SimNode, fault: NodeFault) -> None:
        """The node stopped by itself, which it may only do for its disk."""
        self._counts["faults"] += 1
        self.tally[f"stop: {str(fault).rsplit(': ', 1)[-1]}"] += 1
        self.log(f"node {node.slot} stops: {fault}")
        had_cause = node.disk.fault_count > 0
        node.disk.fault_count = 0
        node.die(power_cut=False)
        self.observer.stopped(node, fault)
        if node.is_honest and not had_cause:
            raise Violation(f"I17: node {node.slot} stopped without a disk fault: {fault}")
        if node.disk.database.damaged:
            node.disk.wipe_database()  # an operator reads what the node says, and lets it sync
        self._restart_later(node)

    def strike(self, node: SimNode, what: str, act: Callable[[], object]) -> None:
        """The node's machine stops, something happens to its disk, somebody starts it again."""
        if node.alive:
            self._counts["crashes"] += 1
            node.die(power_cut=False)
            self.observer.crashed(node, what)
            self._restart_later(node)
        self.tally[what] += 1
        self.log(f"node {node.slot}: {what}")
        node.disk.has_forgotten = True
        act()

    def stop_for_upgrade(self, node: SimNode) -> None:
        """Its operator ends the process, if it runs, and starts another version soon."""
        self.tally["upgrade"] += 1
        self.log(f"node {node.slot} is upgraded to the {node.version.name.lower()} version")
        if node.alive:
            node.die(power_cut=False)
            self.observer.crashed(node, "upgrade")
            self._restart_later(node)

    def _restart_later(self, node: SimNode) -> None:
        delay_ms = 1 if self.is_calm else self._process_rng.randint(*RESTART_AFTER_MS)
        self.at(delay_ms, node.slot, self._restart, node)

    def _restart(self, node: SimNode) -> None:
        if not node.alive:
            self.log(f"node {node.slot} starts")
            node.start()
            if self.is_calm:  # in chaos the others' streams to it may stay down for long
                self.network.reach_again(node.slot)

    # -- what nodes tell --------------------------------------------------------------------------

    def started(self, node: SimNode) -> None:
        self._has_news = True
        self.observer.started(node)

    def progressed(self, node: SimNode) -> None:
        position = node.position
        self._counts["round"] = max(self._counts["round"], position[1])
        self.observer.progress(node, position)

    def signed(self, node: SimNode, message: Message) -> None:
        self.trace = zlib.crc32(message.signed.payload_raw, self.trace)
        if self._log is not None:
            self.log(f"node {node.slot} signs {message.signed.payload}")
        self.observer.signed(node, message)

    def forgot(self, node: SimNode, forgotten: Signed[Payload]) -> None:
        """A message holds a signature of the node's that it does not remember."""
        self.tally["forgotten vote came back"] += 1
        self.log(f"node {node.slot} does not remember {forgotten.payload}")
        self.observer.forgot(node, forgotten)

    def committed(self, node: SimNode, committed: CommittedBlock) -> None:
        self._has_news = True
        self.trace = zlib.crc32(committed.block.header.data_hash, self.trace)
        self.log(f"node {node.slot} commits block {committed.block.number}")
        self.observer.committed(node, committed)
        for fate in committed.transactions:
            self.observer.acknowledged(node, fate.tx_id, fate.code, fate.block_number)

    def evidence(self, node: SimNode, author: int) -> None:
        self._counts["evidence"] += 1
        self.observer.evidence(node, author)

    def rejected(self, node: SimNode, author: int, error: InvalidMessage) -> None:
        if self._log is not None:
            self.log(f"node {node.slot} refuses a message of {author}: {error}")
        self.observer.rejected(node, author, error)

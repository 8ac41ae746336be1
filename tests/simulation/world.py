"""One simulated consortium: virtual clock, unreliable network, crashes, checks after every step.

Two phases. Chaos: no promise about time, faults as the seed's swarm has them. Calm: messages
arrive within D, crashed nodes are back, faulty validators stay faulty; now every transaction must
commit on every honest node within a bound (I14). Everything random comes from the seed, so a seed
replays exactly.
"""

import heapq
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from ledger.consensus.core import Core
from ledger.consensus.events import TimerKind
from ledger.consensus.messages import Message, ProposedBlock
from ledger.consensus.quorum import max_faulty
from ledger.consensus.round_state import CoreSettings
from ledger.errors import InvalidMessage
from tests.simulation.adversary import Adversary
from tests.simulation.blocks import GENESIS_TIME_MS
from tests.simulation.invariants import Monitor, Violation
from tests.simulation.node import Crashed, Parcel, SimNode, standard_core
from tests.simulation.swarm import DELAY_BOUND_MS, Byzantine, draw_swarm

CALM_TRANSACTIONS = 3
CALM_BOUND_MS = 600 * DELAY_BOUND_MS
"""Virtual time for the calm transactions: 64 times the base timeout (the highest of all round
timeouts here, 256 D), twice, and what is left for the blocks themselves."""
RESTART_AFTER_MS = (20, 1500)
MAX_EVENTS = 200_000


@dataclass(frozen=True, slots=True)
class Report:
    """What a seed did; equal for equal seeds."""

    seed: int
    validators: int
    byzantine: Byzantine
    events: int
    height: int
    max_round: int
    crashes: int
    evidence: int
    calm_ms: int
    trace: int


class World:
    """Runs one seed. Slots are places in the network; a twin gives two slots one identity."""

    def __init__(
        self,
        *,
        seed: int,
        validators: int,
        core_factory: Callable[[CoreSettings], Core] = standard_core,
    ) -> None:
        self.seed = seed
        self.core_factory = core_factory
        self.identities = tuple(range(1, validators + 1))
        self.swarm = draw_swarm(random.Random(f"{seed} swarm"), max_faulty=max_faulty(validators))
        self.network_rng = random.Random(f"{seed} network")
        self.crash_rng = random.Random(f"{seed} crash")
        self.adversary_rng = random.Random(f"{seed} adversary")
        self.workload_rng = random.Random(f"{seed} workload")
        self.now_ms = GENESIS_TIME_MS
        self.calm = False
        self.partition: dict[int, int] = {}
        self.transactions: list[bytes] = []
        self.crashes = 0
        self.max_round = 0
        self.evidence_count = 0
        self.events = 0
        self.trace = 0
        self._serial = 0
        self._queue: list[tuple[int, int, int, Callable[[], None]]] = []
        faulty = random.Random(f"{seed} faulty").sample(self.identities, self.swarm.faulty)
        self.monitor = Monitor(self.identities, frozenset(faulty))
        self.nodes = self._make_nodes(frozenset(faulty))
        self._places = {
            identity: tuple(n for n in self.nodes if n.identity == identity)
            for identity in self.identities
        }
        self.honest = [
            node
            for node in self.nodes
            if isinstance(node, SimNode) and node.identity not in faulty
        ]

    def _make_nodes(self, faulty: frozenset[int]) -> list[SimNode | Adversary]:
        nodes: list[SimNode | Adversary] = []
        for identity in self.identities:
            place = {"world": self, "identity": identity, "validators": self.identities}
            if identity not in faulty:
                nodes.append(SimNode(slot=len(nodes), **place))
            elif self.swarm.byzantine is Byzantine.TWIN:
                nodes.append(SimNode(slot=len(nodes), **place))
                nodes.append(SimNode(slot=len(nodes), keeps_journal=False, **place))
            else:
                nodes.append(Adversary(slot=len(nodes), **place))
        return nodes

    # -- running ----------------------------------------------------------------------------------

    def run(self) -> Report:
        """Chaos, then calm; raises `Violation`."""
        for node in self.nodes:
            node.start()
        self._plan_chaos()
        end_ms = GENESIS_TIME_MS + self.swarm.chaos_ms
        while self._queue and self._queue[0][0] < end_ms:
            self._next()
        self.now_ms = end_ms
        self._calm_down()
        calm_ms = self._run_calm()
        return Report(
            seed=self.seed,
            validators=len(self.identities),
            byzantine=self.swarm.byzantine,
            events=self.events,
            height=max(self.monitor.chain, default=0),
            max_round=self.max_round,
            crashes=self.crashes,
            evidence=self.evidence_count,
            calm_ms=calm_ms,
            trace=self.trace,
        )

    def _next(self) -> None:
        self.now_ms, _, place, act = heapq.heappop(self._queue)
        self.events += 1
        self.trace = zlib.crc32(b"%d %d" % (self.now_ms, place), self.trace)
        if self.events > MAX_EVENTS:
            raise Violation("I16: message storm")
        act()

    def _plan_chaos(self) -> None:
        for number in range(self.swarm.transactions):
            at_ms = self.workload_rng.randrange(self.swarm.chaos_ms)
            self._at(at_ms, 0, lambda number=number: self._submit(b"chaos %d" % number))
        if self.swarm.partition_every_ms:
            for at_ms in range(0, self.swarm.chaos_ms, self.swarm.partition_every_ms):
                self._at(at_ms, 0, self._change_partition)

    def _change_partition(self) -> None:
        rng = self.network_rng
        groups = rng.choice([1, 2, 2, 2, 3])
        self.partition = {node.slot: rng.randrange(groups) for node in self.nodes}

    def _submit(self, transaction: bytes) -> None:
        self.transactions.append(transaction)
        for node in self.nodes:
            if node.alive:
                node.transactions_arrived((transaction,))

    def _calm_down(self) -> None:
        self.calm = True
        self.partition = {}
        for node in self.nodes:
            if not node.alive:
                node.start()

    def _run_calm(self) -> int:
        """Virtual milliseconds until everything submitted so far and later is everywhere."""
        started_ms = self.now_ms
        for number in range(CALM_TRANSACTIONS):
            self._submit(b"calm %d" % number)
            while not self._all_committed():
                if self.now_ms - started_ms > CALM_BOUND_MS or not self._queue:
                    raise Violation(
                        f"I14: not committed everywhere {self.now_ms - started_ms} ms after "
                        "the network became calm"
                    )
                self._next()
        return self.now_ms - started_ms

    def _all_committed(self) -> bool:
        last = self.transactions[-1]
        return all(
            any(last in sealed.block.entries for sealed in reversed(node.disk.chain))
            for node in self.honest
        )

    def uncommitted(self, node: SimNode) -> list[bytes]:
        """What clients would submit again to a node that lost its pool."""
        committed = {entry for sealed in node.disk.chain for entry in sealed.block.entries}
        return [entry for entry in self.transactions if entry not in committed]

    # -- what nodes use ---------------------------------------------------------------------------

    def next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _at(self, delay_ms: int, place: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self.next_serial(), place, act))

    def set_timer(
        self,
        node: SimNode,
        duration_ms: int,
        kind: TimerKind,
        height: int,
        round_: int,
        serial: int,
    ) -> None:
        run = node.run

        def fire() -> None:
            if node.alive and node.run == run:
                node.timer_fired(kind, height, round_, serial)

        self._at(duration_ms, node.slot, fire)

    def send_to_all(self, source: SimNode, parcel: Parcel) -> None:
        for identity in self.identities:
            if identity != source.identity:
                self.send(source, identity, parcel)
                if not self.calm:
                    self.maybe_crash(source)

    def send(self, source: SimNode | Adversary, to: int, parcel: Parcel) -> None:
        for node in self._places[to]:
            for delay_ms in self._delays(source.slot, node.slot):
                self._at(delay_ms, node.slot, lambda node=node: self._arrive(source, node, parcel))

    def _arrive(
        self, source: SimNode | Adversary, node: SimNode | Adversary, parcel: Parcel
    ) -> None:
        if node.alive:
            node.receive(parcel, source.identity)

    def _delays(self, source: int, to: int) -> list[int]:
        rng, swarm = self.network_rng, self.swarm
        if self.calm:
            return [rng.randint(1, DELAY_BOUND_MS)]
        if self.partition.get(source) != self.partition.get(to) or rng.random() < swarm.loss:
            return []
        copies = 2 if rng.random() < swarm.duplicate else 1
        stretch = 20 if rng.random() < swarm.tail else 1
        return [1 + int(rng.expovariate(1 / swarm.mean_delay_ms)) * stretch for _ in range(copies)]

    def maybe_crash(self, node: SimNode) -> None:
        """A possible point of death: between any two effects, records and sends."""
        if not self.calm and self.swarm.crash and self.crash_rng.random() < self.swarm.crash:
            raise Crashed

    def crashed(self, node: SimNode) -> None:
        self.crashes += 1
        node.crash()

        def restart() -> None:
            if not node.alive:
                node.start()

        self._at(self.crash_rng.randint(*RESTART_AFTER_MS), node.slot, restart)

    # -- what the monitor sees --------------------------------------------------------------------

    def after_step(self, node: SimNode) -> None:
        if node in self.honest:
            position = node.core_position
            self.max_round = max(self.max_round, position[1])
            self.monitor.on_progress((node.slot, node.run), position)

    def signed(self, node: SimNode, message: Message) -> None:
        if node in self.honest:
            self.monitor.on_signed(message)

    def committed(self, node: SimNode, block: ProposedBlock) -> None:
        if node in self.honest:
            self.monitor.on_committed(node.slot, block.height, block.digest)

    def evidence(self, node: SimNode, author: int) -> None:
        if author not in self.monitor.byzantine:
            raise Violation(f"I3: {node.slot} holds evidence against honest {author}")
        self.evidence_count += 1

    def rejected(self, node: SimNode, author: int, error: InvalidMessage) -> None:
        if node in self.honest and author not in self.monitor.byzantine:
            raise Violation(f"honest message of {author} refused by {node.slot}: {error}")

    def halted(self, node: SimNode, reason: str) -> None:
        if node in self.honest:
            raise Violation(f"I17: {node.slot} stopped: {reason}")

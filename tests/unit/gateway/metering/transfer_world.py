"""Nodes with their own firmware, a broker and the data service in one clock, and what breaks them.

The firmware's `Node` runs on CPython, on files as on flash; the service on SQLite. Between them a
broker that loses and repeats messages and dies; nodes and the gateway are killed; all of it
follows from one seed. Energy flows only while the relays of both ends are closed.
"""

import random
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.hems.series import SeriesStore
from gateway.hems.transfer_rules import OVER, Transfer
from gateway.hems.transfers import plan_trades
from gateway.mqtt.device_messages import encode_stored, encode_time, packed
from gateway.mqtt.reading_check import Attesting
from ledger.crypto.signing import Signer
from tests.firmware.interpreter import FIRMWARE
from tests.support.injected_faults import Broken, FaultLog
from tests.support.transfer_outcome import Outcome, RelayLog, WatchedRelays, is_flowing
from tests.unit.gateway.metering.data_service import COMMUNITY, Scene
from tests.vectors import make_readings

sys.path[:0] = [str(FIRMWARE)]

from meternode.clock import Clock  # noqa: E402
from meternode.node import Node, Sample  # noqa: E402
from meternode.settings import Settings  # noqa: E402
from meternode.signing import HmacSigner  # noqa: E402

STEP_MS = 1_000
START_MS = 1_767_225_600_000
INTERVAL_MS = 30_000
FAULTY_S = 110
"""So long things break; then they are left alone until everything is over."""
CALM_S = 235
POWER_MW = 360_000
LASTS_MS = 280_000
"""Until when the transfers may run."""
NODES = {"node-1": "IDG-1", "node-2": "IDG-2", "node-3": "IDG-3", "node-4": "IDG-4"}
TRADES = [
    ("t-1", "IDG-1", "IDG-2", 2),
    ("t-2", "IDG-2", "IDG-1", 1),
    ("t-3", "IDG-3", "IDG-4", 1),
]
"""The third pair shares nothing with the others but the bus: only the gateway keeps them apart."""
SEND_MAX = 8
RECONNECT_MS_MAX = 6_000


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong, per second or message."""

    drop: float = 0.0
    repeat: float = 0.0
    broker_dies: float = 0.0
    node_dies: float = 0.0
    gateway_dies: float = 0.0
    oracle_repeats: float = 0.0


class SimulatedNode:
    """One node: its flash is a folder, its link is up or down."""

    def __init__(self, name: str, folder: Path, world: "TransferWorld") -> None:
        self.name = name
        self.world = world
        self.settings = Settings(
            {
                "community": COMMUNITY,
                "device": name,
                "account": NODES[name],
                "tier": "A",
                "sample_ms": STEP_MS,
                "measure_ms": 600_000,
                "interval_ms": INTERVAL_MS,
                "broker_host": "127.0.0.1",
            }
        )
        self.folder = str(folder / name)
        self.clock = Clock(lambda: world.elapsed_ms)
        self.relays = WatchedRelays(name, world.log)
        self.comes_back_ms = 0
        self.connects_ms = 0
        self.node: Any = None
        self.is_linked = False
        self.start()

    def start(self) -> None:
        self.clock.set(self.world.now_ms)
        signer = HmacSigner(make_readings.SHARED_KEY)
        self.node = Node(self.settings, signer, self.clock, self.folder)

    def die(self) -> None:
        """Power is gone: memory and relays with it."""
        self.node, self.is_linked = None, False
        self._watch()
        self.comes_back_ms = self.world.now_ms + self.world.random.randrange(1, 20) * 1_000
        self.world.injected.note(
            Broken.NODE, self.world.now_ms, self.comes_back_ms, device_id=self.name
        )

    def step(self) -> None:
        if self.node is None:
            if self.world.now_ms < self.comes_back_ms:
                return
            self.start()
        self._keep_link()
        self.node.sample(Sample(self._power_mw()))
        self.node.tick()
        self.node.metering.sign_all()
        self.node.metering.sign_all()
        self._watch()
        if self.is_linked:
            self.node.transfers.heard(self.clock.ticks_ms())
            self._send()

    def receive(self, leaf: str, payload: bytes) -> None:
        if self.node is not None and self.is_linked:
            self.node.receive(leaf, payload)
            self._watch()

    def _keep_link(self) -> None:
        if not self.world.broker_is_up:
            self.is_linked = False
            self.connects_ms = 0
        elif not self.is_linked:
            self.connects_ms = self.connects_ms or (
                self.world.now_ms + self.world.random.randrange(500, 5_000)
            )
            if self.world.now_ms >= self.connects_ms:
                self.is_linked, self.connects_ms = True, 0
                self.node.connected()

    def _send(self) -> None:
        """What the broker did not confirm stays, and goes again."""
        for _ in range(SEND_MAX):
            if not self.node.outgoing:
                break
            leaf, payload = self.node.outgoing[0]
            if not self.world.publish(f"{self.name}/{leaf}", payload.encode()):
                return
            self.node.outgoing.pop(0)
        for seq, payload in self.node.metering.readings_to_send(SEND_MAX):
            if not self.world.publish(f"{self.name}/reading", payload):
                return
            self.node.metering.sent(seq)

    def _power_mw(self) -> int:
        """Through this node's relay; positive is what comes in."""
        relays = {name: node.relays for name, node in self.world.nodes.items()}
        if self.relays.closed is None or not is_flowing(self.relays, relays):
            return 0
        if self.relays.closed[0] in self.world.sunless:
            return 0
        return POWER_MW if self.relays.closed[1] == "in" else -POWER_MW

    def _watch(self) -> None:
        """Every closing and opening of the outputs goes into the log."""
        self.relays.see(self.node, self.world.now_ms)


class Keys:
    """Every node is of tier A: the gateway's key attests."""

    def public_key(self, meter_id: str) -> Any:
        return make_readings.GATEWAY_KEY.public_key() if meter_id in NODES else None


class TransferWorld:
    """One seeded run."""

    def __init__(
        self, seed: int, faults: Faults, folder: Path, sunless: Collection[str] = ()
    ) -> None:
        """`sunless`: transfers whose sellers have nothing to give."""
        self.sunless = sunless
        self.random = random.Random(seed)
        self.faults = faults
        self.elapsed_ms = 0
        secrets = dict.fromkeys(NODES, make_readings.SHARED_KEY)
        attesting = Attesting(Signer(make_readings.GATEWAY_KEY), secrets)
        self.scene = Scene(Keys(), now_ms=START_MS, attesting=attesting)
        self.log = RelayLog()
        self.injected = FaultLog(reconnect_ms=RECONNECT_MS_MAX)
        self.broker_is_up = True
        self.broker_back_ms = 0
        self.gateway_back_ms = 0
        self.to_gateway: list[tuple[str, bytes]] = []
        self.is_faulty = True
        self.nodes: dict[str, SimulatedNode] = {}
        for name in NODES:
            self.nodes[name] = SimulatedNode(name, folder, self)

    @property
    def now_ms(self) -> int:
        return START_MS + self.elapsed_ms

    def run(self) -> None:
        """Plan, let it break, let it end."""
        self.plan()
        for second in range(FAULTY_S + CALM_S):
            self.is_faulty = second < FAULTY_S
            self.elapsed_ms += STEP_MS
            self.scene.now_ms = self.now_ms
            self._break_things()
            self._gateway_step(second)
            for node in self.nodes.values():
                node.step()

    def plan(self) -> None:
        """As an oracle does after matching, however often."""
        for transfer in plan_trades(
            TRADES,
            {idgrid: name for name, idgrid in NODES.items()},
            segment="bus",
            first_number=1,
            begins_ms=START_MS,
            until_ms=START_MS + LASTS_MS,
        ):
            self.scene.stores.transfers.plan(transfer)

    def publish(self, topic: str, payload: bytes) -> bool:
        """A device's publish; whether it got the broker's PUBACK."""
        if not self.broker_is_up:
            return False
        if self._happens(self.faults.drop):
            return False
        self.to_gateway.append((topic, payload))
        if self._happens(self.faults.repeat):
            self.to_gateway.append((topic, payload))
        return not self._happens(self.faults.drop)

    def transfers(self) -> list[Transfer]:
        return sorted(self.scene.stores.transfers.all(), key=lambda one: one.number)

    def series(self) -> SeriesStore:
        return self.scene.stores.series

    def all_over(self) -> bool:
        return all(transfer.state in OVER for transfer in self.transfers())

    def _happens(self, probability: float) -> bool:
        return self.is_faulty and self.random.random() < probability

    def _break_things(self) -> None:
        if self.broker_is_up and self._happens(self.faults.broker_dies):
            self.broker_is_up = False
            self.broker_back_ms = self.now_ms + self.random.randrange(2, 60) * 1_000
            self.injected.note(Broken.BROKER, self.now_ms, self.broker_back_ms)
            self.to_gateway.clear()  # kill -9: what it had accepted is gone
        elif not self.broker_is_up and (self.now_ms >= self.broker_back_ms or not self.is_faulty):
            self.broker_is_up = True
        for node in self.nodes.values():
            if node.node is not None and self._happens(self.faults.node_dies):
                node.die()
        if self._happens(self.faults.gateway_dies):
            self._kill_gateway()
        if self._happens(self.faults.oracle_repeats):
            self.plan()

    def _kill_gateway(self) -> None:
        """Between a commit and the acknowledgement, or before the commit: both happen."""
        if self.to_gateway and self.random.random() < 0.5:
            self.scene.hear(*self.to_gateway)  # stored; neither broker nor devices are told
        self.scene.restart()
        self.gateway_back_ms = self.now_ms + self.random.randrange(0, 40) * 1_000
        self.injected.note(Broken.GATEWAY, self.now_ms, self.gateway_back_ms)

    def _gateway_step(self, second: int) -> None:
        if self.now_ms < self.gateway_back_ms or not self.broker_is_up:
            return
        taken, self.to_gateway = self.to_gateway, []
        kept = self.scene.hear(*taken)
        for reading in (*kept.accepted, *kept.copies):
            self._send(reading.meter_id, "stored", encode_stored([reading]))
        if second % 60 == 0:
            for name in self.nodes:
                self._send(name, "time", encode_time(self.now_ms))
        for command in self.scene.service.due(self.now_ms):
            self._send(command.device_id, "cmd", packed(command.message))

    def _send(self, device: str, leaf: str, payload: bytes) -> None:
        copies = 0 if self._happens(self.faults.drop) else 1
        copies += self._happens(self.faults.repeat)
        for _ in range(copies):
            self.nodes[device].receive(leaf, payload)


def lost_or_doubled(world: TransferWorld) -> list[str]:
    """What a run must not show; empty when it is right."""
    outcome = Outcome(
        nodes={name: node.node for name, node in world.nodes.items()},
        series=world.series(),
        transfers=world.transfers(),
        log=world.log,
        injected=world.injected,
        alarms=world.scene.alarms,
        now_ms=world.now_ms,
    )
    return outcome.amiss()

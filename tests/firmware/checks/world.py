"""A node's surroundings for the checks: a clock that is moved by hand, settings, a signer."""

import json

from meternode.clock import Clock
from meternode.node import Node, Sample
from meternode.settings import Settings
from meternode.signing import HmacSigner

START_MS = 1_767_225_600_000
KEY = bytes(range(32))


class Ticks:
    """Milliseconds since the start, moved by hand."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


class FastSigner(HmacSigner):
    """Tier A, which costs a check nothing."""


class World:
    """One node on a folder; `restart` is a reset: memory is gone, the flash is there."""

    def __init__(self, folder, account="IDG-1", device="node-1", **settings):
        self.folder = folder
        self.ticks = Ticks()
        self.clock = Clock(self.ticks)
        self.clock.set(START_MS)
        fields = {
            "community": "c1",
            "device": device,
            "account": account,
            "tier": "A",
            "sample_ms": 1_000,
            "measure_ms": 10_000,
            "interval_ms": 900_000,
            "broker_host": "127.0.0.1",
        }
        fields.update(settings)
        self.settings = Settings(fields)
        self.relay_log = []
        self.messages = []
        self.last_measure = None
        self.node = None
        self.restart()

    def restart(self):
        self.node = Node(self.settings, FastSigner(KEY), self.clock, self.folder)
        self.node.sample(Sample(0))  # `App` begins with one, and counts from there
        self.node.connected()
        self.carry()

    def run(self, seconds, power_mw, link=True):
        """Let seconds pass with a power, one sample each; `link`: the broker answers."""
        for _ in range(seconds):
            self.ticks.now += 1_000
            if link:
                self.node.transfers.heard(self.ticks.now)
            self.node.sample(Sample(power_mw))
            self.node.metering.sign_all()
            self.carry()

    def command(self, **fields):
        """Send a command; its first answer."""
        now_ms = self.clock.now_ms()
        command = {"v": 1, "t": now_ms, "expires": now_ms + 60_000}
        command.update(fields)
        return self.send(json.dumps(command))

    def command_without_link(self, command_id, energy_wh):
        """A transfer that begins while nothing the node says gets away."""
        now_ms = self.clock.now_ms()
        command = {"v": 1, "t": now_ms, "expires": now_ms + 60_000, "id": command_id}
        command.update({"op": "transfer", "until": now_ms + 3_600_000, "number": 1})
        command.update({"energy_wh": energy_wh, "seller": "IDG-1", "buyer": "IDG-2"})
        self.node.receive("cmd", json.dumps(command))

    def transfer(self, command_id, seller="IDG-1", buyer="IDG-2", energy_wh=10, **fields):
        now_ms = self.clock.now_ms()
        command = {
            "id": command_id,
            "op": "transfer",
            "until": now_ms + 3_600_000,
            "number": 1,
            "energy_wh": energy_wh,
            "seller": seller,
            "buyer": buyer,
        }
        command.update(fields)
        return self.command(**command)

    def send(self, raw):
        before = len(self.messages)
        self.node.receive("cmd", raw)
        self.carry()
        answers = [entry for leaf, entry in self.messages[before:] if leaf == "ack"]
        return answers[-1] if answers else None

    def carry(self):
        """Take the outgoing messages away, and log the relays when they change."""
        while self.node.outgoing:
            leaf, payload = self.node.outgoing.pop(0)
            if leaf == "event":
                self.node.commands.told(payload, self.clock.now_ms())
            if leaf == "measure":  # too many for a board's heap
                self.last_measure = json.loads(payload)
            else:
                self.messages.append((leaf, json.loads(payload)))
        relays = self.node.relays()
        state = (relays["out"], relays["in"], relays["led"])
        if not self.relay_log or self.relay_log[-1][1] != state:
            self.relay_log.append((self.ticks.now, state))

    def all_of(self, leaf):
        return [content for kind, content in self.messages if kind == leaf]

    def cycles(self):
        """How often a relay closed."""
        return sum(1 for _, (out, in_, _) in self.relay_log if out or in_)


def sent(world):
    """Everything the node would send, acknowledged by the broker only."""
    messages = []
    metering = world.node.metering
    metering.send_again()
    while True:
        found = metering.readings_to_send(16)
        if not found:
            return messages
        for seq, raw in found:
            messages.append(json.loads(raw))
            metering.sent(seq)
        metering._in_flight = 0


def tell_time(world, now_ms):
    """A message of the gateway's topic, whoever wrote it."""
    world.node.receive("time", json.dumps({"v": 1, "t": now_ms}))

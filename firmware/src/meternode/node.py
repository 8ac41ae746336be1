"""One node: samples become registers and readings, commands become relays. No I/O but flash.

The shell (`app.py`) calls `sample` at the node's period and `receive` for every message, puts the
relays where `relays()` says, and carries away what `outgoing` and `metering` have to send.
"""

import json

from meternode import commands
from meternode.commands import (
    DONE,
    REFUSED,
    BadCommand,
    CommandMemory,
    parse_command,
    remembered_until,
)
from meternode.flash import make_folder
from meternode.metering import Metering
from meternode.plug import Plug
from meternode.sensors import UNCALIBRATED
from meternode.transfers import Transfers
from meternode.version import VERSION

OUTGOING_MAX = 40
"""Messages that wait for the link, beside readings, which wait on flash and are in no queue. Of
`state` and `measure` only the newest waits. When it is full the oldest answer goes, which can be
asked for again, then the oldest event, which is made again from flash at the next connection."""


class Sample:
    """What the sensors tell at one instant; None for what the node has no sensor for."""

    def __init__(self, power_mw, u_mv=None, i_ma=None, soc_permille=None, flags=()):
        self.power_mw = power_mw
        self.u_mv = u_mv
        self.i_ma = i_ma
        self.soc_permille = soc_permille
        self.flags = flags


class Node:
    """`settings` as `settings.py` checked it; `signer` one of `signing.py`."""

    def __init__(self, settings, signer, clock, folder):
        make_folder(folder)
        self._settings = settings
        self._signer = signer
        self._clock = clock
        self.metering = Metering(settings, signer, clock, folder)
        self.commands = CommandMemory(folder + "/commands.log")
        self.transfers = Transfers(
            device=settings.device,
            account=settings.account,
            memory=self.commands,
            clock=clock,
            sample_ms=settings.sample_ms,
        )
        self.plug = Plug(clock)
        self.outgoing = []
        self.dropped = 0
        """Messages that had to leave the queue since the start."""
        self.update_offer = None
        """The last message of the leaf `ota`, for `update.py`."""
        self._measured_ms = clock.ticks_ms()
        self._last_state = None

    # --- measuring ------------------------------------------------------------------------

    def sample(self, sample):
        """Count one sample of the sensors, for the registers and for a running transfer."""
        ticks_ms = self._clock.ticks_ms()
        is_calibrated = UNCALIBRATED not in sample.flags
        counted_ms = self.metering.count(sample.power_mw, is_calibrated)
        self.transfers.sample(sample.power_mw, counted_ms, ticks_ms)
        if self._clock.is_set() and ticks_ms - self._measured_ms >= self._settings.measure_ms:
            self._measured_ms = ticks_ms
            self.show(sample)
        self._collect()

    def show(self, sample):
        """Tell these values; nothing is counted by that."""
        content = {"v": 1, "d": self._settings.device, "t": self._clock.now_ms()}
        values = {
            "u_mv": sample.u_mv,
            "i_ma": sample.i_ma,
            "p_mw": sample.power_mw,
            "soc_permille": sample.soc_permille,
        }
        content.update({name: value for name, value in values.items() if value is not None})
        content["flags"] = list(sample.flags)
        self._post("measure", content)

    def tick(self):
        """Let time pass without a sample: relays must open even when a sensor hangs."""
        self.transfers.tick(self._clock.ticks_ms())
        self._collect()

    def relays(self):
        """How the outputs should stand now."""
        transfers = self.transfers
        return {
            "out": transfers.out_closed,
            "in": transfers.in_closed,
            "led": transfers.in_closed,
            "plug": self.plug.is_on,
        }

    # --- talking --------------------------------------------------------------------------

    def receive(self, leaf, payload):
        """A message for this node: `cmd`, `stored`, `time` or `ota`."""
        self.transfers.heard(self._clock.ticks_ms())
        if leaf == "cmd":
            self._command(payload)
        elif leaf == "ota":
            self.update_offer = payload
        else:
            self._inform(leaf, payload)
        self._collect()

    def connected(self):
        """The link is new: say how things stand, and send again what was not stored."""
        self.metering.send_again()
        self.outgoing = [entry for entry in self.outgoing if entry[0] != "event"]
        self.transfers.tell_again()
        self._last_state = None
        self._collect()

    def state(self):
        """The content of a `state` message, without its time."""
        return {
            "v": 1,
            "d": self._settings.device,
            "state": "online",
            "fw": VERSION,
            "tier": self._signer.tier,
            "in": int(self.transfers.in_closed),
            "out": int(self.transfers.out_closed),
            "on": int(self.plug.is_on),
            "outbox": self.metering.waiting(),
            "dropped": self.dropped + self.metering.dropped(),
            "clock": self._clock.standing(),
        }

    # --- inside ---------------------------------------------------------------------------

    def _command(self, payload):
        try:
            command = parse_command(payload)
        except BadCommand as error:
            if error.command_id is not None:
                self._answer({"id": error.command_id, "status": REFUSED, "reason": error.reason})
            return
        entry = self.commands.get(command["id"])
        self._answer(entry if entry is not None else self._carry_out(command))

    def _carry_out(self, command):
        now_ms = self._clock.now_ms()
        refusal = None
        if command["op"] == "stop" and self.commands.get(command["transfer"]) is not None:
            return self.transfers.stop(command)  # what opens a relay needs no time and no room
        if not self._clock.is_set():
            if command["op"] == "stop":
                return _not_remembered(command, "clock")  # a copy counts once the time is known
            refusal = "clock"
        elif now_ms >= command["expires"]:
            refusal = "expired"
        elif self.commands.is_too_far_ahead(command, now_ms):
            return _not_remembered(command, "bad_command")
        elif not self.commands.has_room(now_ms):
            return _not_remembered(command, "busy")
        if refusal is None and command["op"] == "transfer":
            return self.transfers.begin(command)
        if refusal is None and command["op"] == "stop":
            return self.transfers.stop(command)
        if refusal is None and not self.plug.switch(command["on"]):
            refusal = "busy"
        return self._finished(command, refusal)

    def _finished(self, command, refusal):
        entry = {
            "id": command["id"],
            "op": command["op"],
            "energy_mwh": 0,
            "keep": remembered_until(command),
            "status": REFUSED if refusal else DONE,
            "reason": refusal,
        }
        self.commands.keep(entry, self._clock.now_ms())
        return entry

    def _answer(self, entry):
        content = {
            "v": 1,
            "d": self._settings.device,
            "id": entry["id"],
            "status": entry["status"],
        }
        content["t"] = self._clock.now_ms()
        if entry.get("reason"):
            content["reason"] = entry["reason"]
        if entry.get("op") == "switch":
            content["on"] = int(self.plug.is_on)
        elif entry.get("op") == "transfer":
            content.update(self.transfers.status(entry))
        self._post("ack", content)

    def _inform(self, leaf, payload):
        """`stored` and `time`; anything else, and anything malformed, changes nothing."""
        try:
            content = json.loads(payload)
            if leaf == "stored":
                ranges = [(_whole(first), _whole(last)) for first, last in content["seqs"]]
                self.metering.stored(ranges)
            elif leaf == "time":
                self._clock.follow(_whole(content["t"]), self.metering.last_t_end_ms)
        except (ValueError, KeyError, TypeError) as error:
            print("node:", leaf, "ignored:", error)

    def _collect(self):
        """Queue what changed by itself: ended transfers, events, the state."""
        while self.transfers.events:
            self._post("event", self.transfers.events.pop(0))
        while self.transfers.ended:  # after its event, so that who waits for it has both
            self._answer(self.commands.get(self.transfers.ended.pop(0)))
        state = self.state()
        waiting = state.pop("outbox")  # changes with every reading; told along with the rest
        if state != self._last_state and self._clock.was_told():
            self._last_state = state
            told = dict(state, outbox=waiting)
            if self._clock.is_set():
                told["t"] = self._clock.now_ms()
            self._post("state", told)

    def _post(self, leaf, content):
        """Queue a message; a newer state or measurement replaces one that waits."""
        if leaf in ("state", "measure"):
            self.outgoing = [entry for entry in self.outgoing if entry[0] != leaf]
        self.outgoing.append((leaf, json.dumps(content)))
        if len(self.outgoing) > OUTGOING_MAX:
            leaves = [entry[0] for entry in self.outgoing]
            self.outgoing.pop(leaves.index("ack") if "ack" in leaves else leaves.index("event"))
            self.dropped += 1


assert OUTGOING_MAX < commands.REMEMBERED_MIN  # an answer that was dropped can be asked for again


def _whole(value):
    """A JSON number without fraction, or `ValueError`; `int` raises others for an infinity."""
    if type(value) is not int:  # a bool is one for isinstance
        raise ValueError("no whole number")
    return value


def _not_remembered(command, reason):
    """A refusal that changes nothing, so a copy of the command is judged anew."""
    entry = {"id": command["id"], "op": command["op"], "energy_mwh": 0}
    return dict(entry, status=REFUSED, reason=reason)

"""The double relay of a node: OUT closes for energy sold, IN for energy bought, one at a time.

A state machine without I/O: commands, samples and ticks go in, acknowledgements and events
come out, and `relays` says how the two should stand; the shell puts them there after every step.
Safety comes last in each step, so nothing before it can keep a relay closed.

Exactly once: a transfer is in the memory on flash as `accepted` before its relay closes. After a
reset what was accepted is `failed` with the reason `reset`, and no copy of it begins again. Its
events are made again from that memory until the broker has them, the `stop` of a transfer that a
reset broke off with the time and energy of the last checkpoint.
"""

from meternode.commands import (
    ACCEPTED,
    DONE,
    FAILED,
    REFUSED,
    START_TOLD,
    remembered_until,
)
from meternode.energy import PayableEnergy, payable_event
from meternode.registers import UJ_PER_WH

LINK_LOST_MS = 30_000
"""The broker out of reach for this long opens the relay."""
OVERRUN_PERCENT = 2
"""More than this, and more than two samples' energy, above the agreed energy is an overrun."""
WAITING_MAX = 4
"""Transfers that wait for their turn on this node."""
CHECKPOINT_MS = 10_000
"""How often the measured energy of a running transfer is put on flash."""


class Transfer:
    """One accepted transfer, waiting or running."""

    def __init__(self, command, is_seller):
        self.command = command
        self.is_seller = is_seller
        self.energy = None
        self.begun_ticks_ms = self.limit_ticks_ms = None
        self.checkpoint_ticks_ms = 0

    def target_mwh(self):
        """The agreed energy in thousandths of a watt-hour."""
        return self.command["energy_wh"] * 1_000


class Transfers:
    """Runs transfers of one node in turn. `account` is the household's IDgrid."""

    def __init__(self, *, device, account, memory, clock, sample_ms):
        self._device = device
        self._account = account
        self._memory = memory
        self._clock = clock
        self._sample_ms = sample_ms
        self._running = None
        self._waiting = []
        self._last_heard_ms = None
        self.out_closed = False
        self.in_closed = False
        self.events = []
        """Messages for the leaf `event`, oldest first; the shell takes them away."""
        self.ended = []
        """Ids whose answer changed by itself; the shell acknowledges them."""
        for entry in memory.unfinished():
            self._remember(entry, FAILED, "reset")
            self.ended.append(entry["id"])

    def begin(self, command):
        """Accept a transfer, or refuse it; the relay closes when its turn comes."""
        if self._account not in (command["seller"], command["buyer"]):
            return self._enter(command, REFUSED, "not_mine")
        if len(self._waiting) >= WAITING_MAX:
            return self._enter(command, REFUSED, "busy")
        if self._clock.now_ms() >= command["until"]:
            return self._enter(command, REFUSED, "expired")
        self.heard(self._clock.ticks_ms())  # the command came over the link
        entry = self._enter(command, ACCEPTED)
        self._waiting.append(Transfer(command, command["seller"] == self._account))
        self._take_turn()
        return entry

    def stop(self, command):
        """End a transfer early; one that never came is remembered as over, and never begins.

        Every copy tells how the transfer stands: the answer before may be lost. The stop itself
        need not be remembered, since a second one changes nothing.
        """
        transfer_id = command["transfer"]
        for transfer in list(self._waiting):
            if transfer.command["id"] == transfer_id:
                self._waiting.remove(transfer)
                self._end(transfer, FAILED, "stopped")
        if self._running and self._running.command["id"] == transfer_id:
            self._finish(FAILED, "stopped")
        if self._memory.get(transfer_id) is None:
            unknown = dict(command, id=transfer_id, op="transfer")
            self._enter(unknown, REFUSED, "stopped")
        if transfer_id not in self.ended:
            self.ended.append(transfer_id)
        return {"id": command["id"], "op": "stop", "status": DONE}

    def tell_again(self):
        """The connection is new: the events that the broker does not have."""
        self.events = []
        for entry in self._memory.untold():
            if entry.get("told", 0) < START_TOLD:
                self.events.append(payable_event(entry["id"], self._device, "start", 0, 0))
            if entry["status"] != ACCEPTED:
                spent = entry["seconds"], entry["energy_mwh"]
                self.events.append(payable_event(entry["id"], self._device, "stop", *spent))

    def is_idle(self):
        """Whether no transfer runs or waits."""
        return self._running is None and not self._waiting

    def heard(self, ticks_ms):
        """The broker answered: the link is alive."""
        self._last_heard_ms = ticks_ms

    def sample(self, power_mw, counted_ms, ticks_ms):
        """Count what flowed up to `ticks_ms`; None when the sensor does not know.

        `power_mw` is positive for energy that comes in, `counted_ms` what the registers counted
        of it: what is paid for and what is signed are one measurement. Opens the relay at the
        agreed energy.
        """
        running = self._running
        if running is not None:
            if power_mw is None:
                self._finish(FAILED, "fault")  # nobody would know when to stop
            else:
                payable_mw = -power_mw if running.is_seller else power_mw
                running.energy.add(payable_mw, min(counted_ms, ticks_ms - running.begun_ticks_ms))
                self._check_energy(running, payable_mw, ticks_ms)
        self.tick(ticks_ms)

    def tick(self, ticks_ms):
        """What time alone brings: the next turn, `until`, a lost link. Call it every second."""
        self._take_turn()
        running = self._running
        if running is None:
            return
        if ticks_ms >= running.limit_ticks_ms or self._clock.now_ms() >= running.command["until"]:
            self._finish(FAILED, "until")
        elif self._last_heard_ms is None or ticks_ms - self._last_heard_ms >= LINK_LOST_MS:
            self._finish(FAILED, "lost_link")

    def status(self, entry):
        """The fields of an answer that this machine knows."""
        running = self._running
        is_running = running is not None and running.command["id"] == entry["id"]
        energy_mwh = running.energy.energy_mwh() if is_running else entry["energy_mwh"]
        return {
            "in": int(self.in_closed),
            "out": int(self.out_closed),
            "energy_mwh": energy_mwh,
        }

    def _take_turn(self):
        """Close the relay for the transfer whose turn it is; those that waited too long go."""
        now_ms, ticks_ms = self._clock.now_ms(), self._clock.ticks_ms()
        for late in [entry for entry in self._waiting if now_ms >= entry.command["expires"]]:
            self._waiting.remove(late)
            self._end(late, REFUSED, "expired")
        if self._running is None and self._waiting:
            transfer = self._waiting.pop(0)
            transfer.limit_ticks_ms = ticks_ms + transfer.command["until"] - now_ms
            transfer.checkpoint_ticks_ms = ticks_ms + CHECKPOINT_MS
            transfer.energy = PayableEnergy(transfer.command["id"], self._device, ticks_ms)
            entry = self._memory.get(transfer.command["id"])
            self._memory.keep(dict(entry, seconds=0), now_ms)
            self._running, transfer.begun_ticks_ms = transfer, ticks_ms
            self.out_closed, self.in_closed = transfer.is_seller, not transfer.is_seller
            self.events.append(transfer.energy.start_event())

    def _check_energy(self, running, power_mw, ticks_ms):
        measured_mwh, target_mwh = running.energy.energy_mwh(), running.target_mwh()
        two_samples_mwh = 2 * power_mw * self._sample_ms * 1_000 // UJ_PER_WH
        if measured_mwh >= target_mwh:
            over_mwh = measured_mwh - target_mwh
            is_overrun = over_mwh > max(target_mwh * OVERRUN_PERCENT // 100, two_samples_mwh)
            self._finish(FAILED if is_overrun else DONE, "overrun" if is_overrun else None)
        elif ticks_ms >= running.checkpoint_ticks_ms:
            running.checkpoint_ticks_ms = ticks_ms + CHECKPOINT_MS
            entry = self._memory.get(running.command["id"])
            seconds = running.energy.seconds(ticks_ms)
            kept = dict(entry, energy_mwh=measured_mwh, seconds=seconds)
            self._memory.keep(kept, self._clock.now_ms())

    def _finish(self, status, reason=None):
        running, self._running = self._running, None
        self.out_closed = self.in_closed = False
        self.events.append(running.energy.stop_event(self._clock.ticks_ms()))
        self._end(running, status, reason)

    def _end(self, transfer, status, reason=None):
        entry = self._memory.get(transfer.command["id"])
        if transfer.energy is not None:
            seconds = transfer.energy.seconds(self._clock.ticks_ms())
            entry = dict(entry, energy_mwh=transfer.energy.energy_mwh(), seconds=seconds)
        self._remember(entry, status, reason)
        self.ended.append(transfer.command["id"])

    def _enter(self, command, status, reason=None):
        entry = {"id": command["id"], "op": command["op"], "energy_mwh": 0}
        entry["keep"] = remembered_until(command)
        return self._remember(entry, status, reason)

    def _remember(self, entry, status, reason):
        entry = dict(entry, status=status, reason=reason)
        self._memory.keep(entry, self._clock.now_ms())
        return entry

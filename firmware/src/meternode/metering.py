"""From samples of power to signed readings that wait for the gateway."""

from meternode.energy import Integrator
from meternode.flash import Record
from meternode.outbox import Outbox
from meternode.reading import Reading, message, signed_line
from meternode.registers import restored
from meternode.settings import HOUR_MS

WINDOW = 32
"""Readings sent and not yet called stored by the gateway."""
RESEND_MS = 60_000
UNSIGNED_MAX = 8
SAVE_MS = 60_000
"""How often the registers are put on flash between readings."""
CLOCK_BACK_MS = 3_600_000
"""A clock that stands further behind the last reading was wrong when that was made: readings go
on from now, ordered by `seq`. A smaller step back is waited for."""


class Metering:
    """Registers, intervals and the outbox of one meter; `folder` is on flash."""

    def __init__(self, settings, signer, clock, folder):
        self._settings = settings
        self._signer = signer
        self._clock = clock
        self._outbox = Outbox(folder + "/outbox", signer.raw_bytes, settings.outbox_records)
        self._record = Record(folder + "/registers")
        stored, last = self._record.load(), self._outbox.last_reading()
        self.registers = restored(stored, last)
        unsigned = [Reading(*values) for values in (stored or {}).get("unsigned", ())]
        self._unsigned = [entry for entry in unsigned if last is None or entry.seq > last.seq]
        self._steps = None
        self.integrator = Integrator(self.registers, settings.sample_ms)
        # After a reset nobody knows for how long nothing was measured.
        self.integrator.is_estimated = stored is not None or last is not None
        self.last_t_end_ms = max(stored["t_end"] if stored else 0, last.t_end_ms if last else 0)
        """Where the last reading ends; 0 before the first."""
        self._saved_ms = clock.ticks_ms()
        self._sent_through, self._sent_ms, self._in_flight = 0, 0, 0
        self.has_been_stored = False
        """Whether the gateway confirmed a reading since the start: all of the way works."""

    def count(self, power_mw, is_calibrated=True):
        """Count power up to now; at the end of an interval, make a reading.

        The sample that reaches over the end is split there, so the reading stands at `t_end`.
        Returns the milliseconds counted.
        """
        integrator, counted_ms = self.integrator, 0
        ticks_ms, boundary_ms = self._clock.ticks_ms(), self._boundary_ms()
        if boundary_ms is not None:
            end_ms = ticks_ms - (self._clock.now_ms() - boundary_ms)
            counted_ms = integrator.sample_through(power_mw, end_ms, ticks_ms, is_calibrated)
            self.end_interval(boundary_ms, boundary_ms % HOUR_MS == 0)
        counted_ms += integrator.sample(power_mw, ticks_ms, is_calibrated)
        if ticks_ms - self._saved_ms >= SAVE_MS:
            self._save()
        return counted_ms

    def end_interval(self, t_end_ms, ends_hour):
        """A reading of the registers as they stand; `sign_step` signs it, a bit at a time.

        `ends_hour`: a new hour begins, and its quality anew.
        """
        registers = self.registers
        registers.seq += 1
        self._unsigned.append(
            Reading(
                registers.seq,
                t_end_ms,
                registers.imported.wh,
                registers.exported.wh,
                self.integrator.take_quality(ends_hour),
            )
        )
        self.last_t_end_ms = t_end_ms
        self._save()
        while len(self._unsigned) > UNSIGNED_MAX:  # intervals end faster than the node can sign
            self.sign_step()

    def sign_step(self):
        """A part of the work on the oldest unsigned reading; False when there is none.

        A signed one goes into the outbox and stays there until the gateway stored it.
        """
        if not self._unsigned:
            return False
        reading = self._unsigned[0]
        if self._steps is None:
            line = signed_line(self._settings.device, reading)
            self._steps = self._signer.sign_steps(line)
        try:
            next(self._steps)
        except StopIteration as end:
            self._steps = None
            self._outbox.append(reading, end.value)
            self._unsigned.pop(0)
            self._save()
        return True

    def sign_all(self):
        """Sign what waits for it, without a pause."""
        while self.sign_step():
            pass

    def waiting(self):
        """How many readings the gateway has not stored yet."""
        return len(self._outbox) + len(self._unsigned)

    def dropped(self):
        """How many readings left a full outbox unsent since the start."""
        return self._outbox.dropped

    def send_again(self):
        """The connection is new: whatever is not stored goes again, oldest first."""
        self._sent_through = self._in_flight = 0

    def readings_to_send(self, count_max):
        """`(seq, message)` of readings to send now, oldest first."""
        if self._in_flight and self._clock.ticks_ms() - self._sent_ms >= RESEND_MS:
            self.send_again()
        room = min(count_max, WINDOW - self._in_flight)
        found = self._outbox.after(self._sent_through, room) if room > 0 else []
        return [(reading.seq, self._message(reading, raw)) for reading, raw in found]

    def sent(self, seq):
        """The broker has this reading; it stays here until the gateway calls it stored."""
        self._sent_through = seq
        if not self._in_flight:
            self._sent_ms = self._clock.ticks_ms()  # of the oldest: newer ones must not delay it
        self._in_flight += 1

    def stored(self, ranges):
        """The gateway has these: `(first, last)` pairs of `seq`, ends included."""
        self._outbox.stored(ranges)
        self.has_been_stored = True
        # Counted anew, not down: a copy may be called stored twice, another one never.
        self._in_flight = self._outbox.waiting_through(self._sent_through)

    def _boundary_ms(self):
        """The end of the interval that is over and has no reading yet, or None."""
        if not self._clock.is_set():
            return None
        now_ms = self._clock.now_ms()
        boundary_ms = now_ms - now_ms % self._settings.interval_ms
        if self.last_t_end_ms == 0:
            self.last_t_end_ms = boundary_ms  # the first interval is a whole one
        if self.last_t_end_ms - now_ms > CLOCK_BACK_MS:
            self.last_t_end_ms = boundary_ms
            self._save()  # else a board would start again at the wrong time
        return boundary_ms if boundary_ms > self.last_t_end_ms else None

    def _save(self):
        self._saved_ms = self._clock.ticks_ms()
        unsigned = [reading.values() for reading in self._unsigned]
        record = dict(self.registers.record(), t_end=self.last_t_end_ms, unsigned=unsigned)
        self._record.save(record)

    def _message(self, reading, raw):
        signature = self._signer.encode(raw)
        return message(self._settings.device, reading, self._signer.key_id, signature)

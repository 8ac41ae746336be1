"""Cumulative registers, as an electricity meter has them: they never go back.

1 mW for 1 ms is 1 microjoule; what is below a watt-hour waits in `_uj` and is never rounded away.
"""

UJ_PER_WH = 3_600_000_000


class Register:
    """Energy in one direction."""

    def __init__(self, wh=0, uj=0):
        if wh < 0 or not 0 <= uj < UJ_PER_WH:
            raise ValueError("a register is never negative")
        self.wh = wh
        self.uj = uj

    def add_uj(self, energy_uj):
        """Count energy; raises `ValueError` for a negative amount."""
        if energy_uj < 0:
            raise ValueError("a register never goes back")
        total = self.uj + energy_uj
        self.wh += total // UJ_PER_WH
        self.uj = total % UJ_PER_WH

    def is_ahead_of(self, other):
        """Whether this one has counted at least as much."""
        return (self.wh, self.uj) >= (other.wh, other.uj)


class Registers:
    """Both directions of a connection, and the number of the last reading."""

    def __init__(self, seq=0, imported=None, exported=None):
        self.seq = seq
        self.imported = imported or Register()
        self.exported = exported or Register()

    def flow(self, power_mw, elapsed_ms):
        """Count a power over a time: positive is drawn from the grid, negative fed into it."""
        if elapsed_ms < 0:
            raise ValueError("time does not run backwards")
        target = self.imported if power_mw >= 0 else self.exported
        target.add_uj(abs(power_mw) * elapsed_ms)

    def record(self):
        """What is stored, as a JSON value."""
        return {
            "seq": self.seq,
            "imported": [self.imported.wh, self.imported.uj],
            "exported": [self.exported.wh, self.exported.uj],
        }


def restored(record, last_reading):
    """Registers after a reset: the stored ones, or those of the last reading if that is later.

    Either may be None. A reading is in the outbox before the record is written, so after a power
    cut in between the reading knows more; nothing is counted back and no `seq` comes twice.
    """
    registers = Registers()
    if record is not None:
        registers = Registers(
            record["seq"], Register(*record["imported"]), Register(*record["exported"])
        )
    if last_reading is not None and last_reading.seq > registers.seq:
        registers.seq = last_reading.seq
        registers.imported = _later(registers.imported, Register(last_reading.import_wh))
        registers.exported = _later(registers.exported, Register(last_reading.export_wh))
    return registers


def _later(left, right):
    return left if left.is_ahead_of(right) else right

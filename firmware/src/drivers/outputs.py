"""Relays, LED and button on digital pins."""


class Relay:
    """One channel of a relay board; those with opto-couplers close at a low level.

    Open from the first moment: the pin gets its level before it becomes an output.
    """

    def __init__(self, pin, is_active_low=True):
        self._pin = pin
        self._is_active_low = is_active_low
        self.is_closed = False
        self.cycles = 0
        """How often it closed since the start; contacts wear."""
        self._write()

    def set(self, is_closed):
        """Close or open; nothing happens when it stands so already."""
        if is_closed == self.is_closed:
            return
        self.is_closed = is_closed
        self.cycles += is_closed
        self._write()

    def _write(self):
        self._pin.value(int(self.is_closed != self._is_active_low))


class Outputs:
    """All outputs of a node by name; those a board lacks are left out."""

    def __init__(self, **relays):
        self._relays = relays

    def set(self, wanted):
        """Put every output where `wanted` says; those that open do so before others close."""
        for closing in (False, True):
            for name, relay in self._relays.items():
                if bool(wanted[name]) is closing:
                    relay.set(closing)

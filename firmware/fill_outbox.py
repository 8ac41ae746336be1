"""Fill a node's outbox with a day of readings, as after a day offline; for MicroPython.

    cd FLASH && python -m micropython_unix .../firmware/fill_outbox.py COUNT T_END_MS

FLASH is an image that was never started. One reading per 10 s, the last ends at T_END_MS; their
signatures (tier B) are no key's, so they measure memory and are worth nothing else.
"""

import os
import sys

sys.path.insert(0, "a")

from meternode.outbox import Outbox
from meternode.reading import Reading

EVERY_MS = 10_000
SIGNATURE = bytes(64)


def main(count, last_ms):
    """One by one, as they would have come."""
    os.mkdir("state")
    outbox = Outbox("state/outbox", len(SIGNATURE), count)
    for seq in range(1, count + 1):
        t_end_ms = last_ms - (count - seq) * EVERY_MS
        outbox.append(Reading(seq, t_end_ms, seq, 0, "measured"), SIGNATURE)


main(int(sys.argv[1]), int(sys.argv[2]))

"""What signing costs in time and a node in memory; for MicroPython, on a PC or on a board.

cd firmware/src && python -m micropython_unix -X heapsize=192k ../measure.py
mpremote run firmware/measure.py            on a board that has an image (docs/hardware.md)
"""

import gc
import hashlib
import os
import sys
import time

sys.path[:0] = ["a", "."]

from meternode import ecdsa, p256  # noqa: E402
from meternode.hmac_sha256 import hmac_sha256  # noqa: E402
from meternode.outbox import Outbox  # noqa: E402
from meternode.reading import Reading  # noqa: E402
from meternode.slots import erase  # noqa: E402

SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
TIMES = 20
FOLDER = "measured"
DAYS_READINGS = (("15 min", 96), ("1 min", 1_440), ("10 s", 8_640))


def milliseconds(work, *arguments):
    """How long one call takes on average."""
    gc.collect()
    begun = time.ticks_us()
    for _ in range(TIMES):
        work(*arguments)
    return time.ticks_diff(time.ticks_us(), begun) / TIMES / 1_000


def longest_step_ms():
    """The longest the relays wait for one step of a signature."""
    steps = ecdsa.sign_steps(SECRET, hashlib.sha256(b"x").digest())
    longest = 0
    while True:
        begun = time.ticks_us()
        try:
            next(steps)
        except StopIteration:
            return longest / 1_000
        longest = max(longest, time.ticks_diff(time.ticks_us(), begun))


def show_times():
    """Signing and verifying."""
    point = p256.multiply_generator(SECRET)
    digest = hashlib.sha256(b"a reading").digest()
    r, s = ecdsa.sign_digest(SECRET, digest)
    times = (
        ("tier A, HMAC-SHA256", milliseconds(hmac_sha256, b"k" * 32, b"m" * 100)),
        ("tier B, P-256 signature", milliseconds(ecdsa.sign_digest, SECRET, digest)),
        ("longest step of it", longest_step_ms()),
        ("P-256 verification", milliseconds(ecdsa.verify_digest, point, digest, r, s)),
    )
    for name, found_ms in times:
        print(f"{name:26} {found_ms:8.2f} ms")


def show_memory():
    """The application, then the outbox of a day at several intervals."""
    import meternode.startup  # noqa: F401, PLC0415 - after the times, which need less

    gc.collect()
    print(f"{'application loaded':26} {gc.mem_alloc():8} bytes in use, {gc.mem_free()} free")
    for name, count in DAYS_READINGS:
        memory = outbox_memory(count)
        files = [os.stat(FOLDER + "/" + name)[6] for name in os.listdir(FOLDER)]
        print(f"{'24 h, one in ' + name:26} {memory:8} bytes of memory, {sum(files)} of flash")
    erase(FOLDER)


def outbox_memory(count):
    """What the index of this many readings takes."""
    erase(FOLDER)
    gc.collect()
    before = gc.mem_alloc()
    outbox = Outbox(FOLDER, 64, count)
    raw = bytes(64)
    for seq in range(1, count + 1):
        outbox.append(Reading(seq, 1_767_225_600_000 + seq, seq, 0, "measured"), raw)
    gc.collect()
    return gc.mem_alloc() - before if len(outbox) == count else None


print(sys.implementation)
show_times()
show_memory()

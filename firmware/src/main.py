"""The first file a board runs: picks the application's folder, `a` or `b`, and starts it.

This file is never replaced by an update, so it is short and depends on nothing. `slot.json` says
which folder is active and whether it has proved itself; an unproven one gets a few starts, then
the other folder is back (meternode/slots.py).
"""

import gc
import json
import os
import sys

SLOT_FILE = "slot.json"
COLLECT_BYTES = 8_192
"""Garbage is collected after so many bytes: what compiling leaves would tear the heap into pieces,
and TLS needs some kilobytes in one."""


def read_slot():
    """`{"active", "confirmed", "tries"}`; a board without the file runs `a`."""
    try:
        with open(SLOT_FILE) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {"active": "a", "confirmed": True, "tries": 0}


def write_slot(slot):
    """Replace the file in one step."""
    with open(SLOT_FILE + ".new", "w") as file:
        json.dump(slot, file)
    os.rename(SLOT_FILE + ".new", SLOT_FILE)


def choose(slot):
    """The slot to start from, after counting this start of an unproven one."""
    if slot["confirmed"]:
        return slot
    if slot["tries"] > 0:
        return {"active": slot["active"], "confirmed": False, "tries": slot["tries"] - 1}
    back = "b" if slot["active"] == "a" else "a"
    return {"active": back, "confirmed": True, "tries": 0}


def main():
    """Start the application."""
    before = read_slot()
    slot = choose(before)
    if slot != before:
        write_slot(slot)
    gc.threshold(COLLECT_BYTES)
    sys.path.insert(0, slot["active"])
    from board import start  # noqa: PLC0415 - only now it is known which folder

    start.main()


if __name__ == "__main__":
    main()

"""Which of the two folders runs, and whether it has proved itself; `main.py` reads the same file.

Apart from `update.py`, which is read only when there is an update.
"""

import json
import os

SLOTS = ("a", "b")
TRIES = 3
"""Starts that a new folder gets to prove itself."""


def confirm(root):
    """The running application has proved itself; True when that was news."""
    slot = read_slot(root)
    if slot["confirmed"]:
        return False
    write_slot(root, {"active": slot["active"], "confirmed": True, "tries": 0})
    return True


def read_slot(root):
    """The content of `slot.json`, as `main.py` reads it."""
    try:
        with open(root + "slot.json") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {"active": "a", "confirmed": True, "tries": 0}


def write_slot(root, slot):
    """Replace `slot.json` in one step."""
    with open(root + "slot.json.new", "w") as file:
        json.dump(slot, file)
    os.rename(root + "slot.json.new", root + "slot.json")


def erase(path):
    """Remove a folder with all it holds; nothing when there is none."""
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        inner = path + "/" + name
        if os.stat(inner)[0] & 0x4000:
            erase(inner)
        else:
            os.remove(inner)
    os.rmdir(path)

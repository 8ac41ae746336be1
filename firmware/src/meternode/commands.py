"""Commands from the gateway, checked as a whole, and the memory of those seen (docs/mqtt.md).

A device carries a command out at most once per id. What it did with an id is on flash before it
does anything, so a copy after a reset meets the same answer.
"""

import json

from meternode.flash import Log

MESSAGE_BYTES_MAX = 1_024
ID_CHARACTERS_MAX = 100
REMEMBERED_MIN = 64
"""Ids kept at least, whatever their time."""
REMEMBERED_MAX = 96
"""With so many whose time is not over a further command is refused as `busy`."""
LINES_BEFORE_COMPACTION = 4 * REMEMBERED_MAX
ENERGY_WH_MAX = 1_000_000
TIME_MS_MAX = 1 << 53

ACCEPTED, DONE, FAILED, REFUSED = "accepted", "done", "failed", "refused"

_FIELDS = {
    "switch": {"on": 1},
    "transfer": {
        "until": TIME_MS_MAX,
        "number": TIME_MS_MAX,
        "energy_wh": ENERGY_WH_MAX,
        "seller": str,
        "buyer": str,
    },
    "stop": {"transfer": str},
}
"""Fields of each operation beyond those of all: the largest whole number, or a name."""


class BadCommand(Exception):  # noqa: N818 - the sender's fault
    """A message that is no command; `command_id` when at least that could be read."""

    def __init__(self, reason, command_id=None):
        super().__init__(reason)
        self.reason = reason
        self.command_id = command_id


def parse_command(raw):
    """The command as a dict of exactly the documented fields; raises `BadCommand`."""
    if len(raw) > MESSAGE_BYTES_MAX:
        raise BadCommand("bad_command")
    try:
        command = json.loads(raw)
    except ValueError:
        raise BadCommand("bad_command") from None
    if not isinstance(command, dict) or not _is_name(command.get("id")):
        raise BadCommand("bad_command")
    operation = command.get("op")
    if not isinstance(operation, str) or operation not in _FIELDS:
        raise BadCommand("unknown_op", command["id"])
    limits = {"t": TIME_MS_MAX, "expires": TIME_MS_MAX, "v": 1, "id": str, "op": str}
    limits.update(_FIELDS[operation])
    if set(command) != set(limits) or command["v"] != 1:
        raise BadCommand("bad_command", command["id"])
    if not all(_is_within(command[name], limit) for name, limit in limits.items()):
        raise BadCommand("bad_command", command["id"])
    if operation == "transfer" and not (
        command["energy_wh"] and command["seller"] != command["buyer"]
    ):
        raise BadCommand("bad_command", command["id"])
    return command


def _is_within(value, limit):
    if limit is str:
        return _is_name(value)
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit


def _is_name(value):
    return (
        isinstance(value, str)
        and 0 < len(value) <= ID_CHARACTERS_MAX
        and all(_is_name_character(character) for character in value)
    )


def _is_name_character(character):
    return character in "-_.:" or (
        character < "\x7f" and (character.isalpha() or character.isdigit())
    )


class CommandMemory:
    """What became of every command: `{"id", "keep", "status", "reason", "energy_mwh", "op"}`.

    `keep` is the instant until which the entry must be remembered.
    """

    def __init__(self, path):
        self._log = Log(path)
        self._entries = {}
        self._order = []
        for entry in self._log.load():
            self._place(entry)

    def get(self, command_id):
        """The entry of a command seen before, or None."""
        return self._entries.get(command_id)

    def unfinished(self):
        """Entries that were `accepted` and not ended: after a reset, those it broke off."""
        return [entry for entry in self._entries.values() if entry["status"] == ACCEPTED]

    def has_room(self, now_ms):
        """Whether one more can be remembered without forgetting one whose time is not over."""
        if len(self._order) < REMEMBERED_MAX:
            return True
        return any(self._may_go(self._entries[known], now_ms) for known in self._order)

    def keep(self, entry, now_ms):
        """Remember or renew an entry, durable on return; old ones whose time is over go."""
        self._log.append(entry)
        self._place(entry)
        while len(self._order) > REMEMBERED_MIN and self._forget_one(now_ms):
            pass
        if self._log.lines > LINES_BEFORE_COMPACTION:
            self._log.compact([self._entries[known] for known in self._order])

    def _place(self, entry):
        if entry["id"] not in self._entries:
            self._order.append(entry["id"])
        self._entries[entry["id"]] = entry

    def _forget_one(self, now_ms):
        for command_id in self._order[:-1]:
            if self._may_go(self._entries[command_id], now_ms):
                self._order.remove(command_id)
                del self._entries[command_id]
                return True
        return False

    def _may_go(self, entry, now_ms):
        return entry["keep"] < now_ms and entry["status"] != ACCEPTED

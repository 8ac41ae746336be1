"""Commands from the gateway, checked as a whole, and the memory of those seen (docs/mqtt.md).

A device carries a command out at most once per id. What it did with an id is on flash before it
does anything, so a copy after a reset meets the same answer.
"""

import json

from meternode.fixed_list import FixedList
from meternode.flash import Log

MESSAGE_BYTES_MAX = 1_024
ID_CHARACTERS_MAX = 100
ENERGY_WH_MAX = 1_000_000
TIME_MS_MAX = 1 << 53
REMEMBERED_MIN = 64
"""Ids kept at least, whatever their time."""
REMEMBERED_MAX = 80
"""With so many whose time is not over a further command is refused as `busy`."""
AHEAD_MS_MAX = 25 * 3_600_000
"""No command is for longer than a day: what lies further ahead was not meant, or the clock was
wrong when it came, and need not be remembered."""
LOADING = 2 * TIME_MS_MAX
"""Stands for the time of day while the log is read: of more than the list holds, those that were
forgotten are those whose time was over first."""
LINES_BEFORE_COMPACTION = 3 * REMEMBERED_MAX

START_TOLD, STOP_TOLD = 1, 2
"""Which events of a transfer the broker has."""
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


def remembered_until(command):
    """The instant until which a copy of a command could still be carried out."""
    return max(command["expires"], command.get("until", 0))


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

    `keep` is the instant until which the entry must be remembered. One whose relay closed has
    `seconds` too, how long ago at the last look, and `told`, which of its events the broker has.
    """

    def __init__(self, path):
        self._log = Log(path)
        self._entries = FixedList(REMEMBERED_MAX)
        for entry in self._log.entries():
            self._place(entry, LOADING)

    def get(self, command_id):
        """The entry of a command seen before, or None."""
        position = self._position(command_id)
        return None if position is None else self._entries[position]

    def unfinished(self):
        """Entries that were `accepted` and not ended: after a reset, those it broke off."""
        return [entry for entry in self._entries if entry["status"] == ACCEPTED]

    def untold(self):
        """Entries with an event that the broker does not have yet."""
        return [
            entry
            for entry in self._entries
            if entry.get("seconds") is not None and entry.get("told", 0) < STOP_TOLD
        ]

    def told(self, payload, now_ms):
        """The broker has this `event` message; durable on return."""
        event = json.loads(payload)
        entry = self.get(event["id"])
        level = STOP_TOLD if event["event"] == "stop" else START_TOLD
        if entry is not None and entry.get("told", 0) < level:
            self.keep(dict(entry, told=level), now_ms)

    def is_too_far_ahead(self, command, now_ms):
        """Whether remembering it until its time is over would be for ever."""
        return remembered_until(command) > now_ms + AHEAD_MS_MAX

    def has_room(self, now_ms):
        """Whether one more can be remembered without forgetting one whose time is not over."""
        return len(self._entries) < REMEMBERED_MAX or self._first_over(now_ms) is not None

    def keep(self, entry, now_ms):
        """Remember or renew an entry, durable on return; old ones whose time is over go."""
        self._log.append(entry)
        self._place(entry, now_ms)
        if self._log.lines > LINES_BEFORE_COMPACTION:
            self._log.compact(self._entries)

    def _place(self, entry, now_ms):
        position = self._position(entry["id"])
        if position is not None:
            self._entries.replace(position, entry)
            return
        kept_max = REMEMBERED_MAX if now_ms == LOADING else REMEMBERED_MIN
        while len(self._entries) >= kept_max:
            over = self._first_over(now_ms)
            if over is None:
                break
            self._entries.pop(over)
        self._entries.append(entry)

    def _position(self, command_id):
        for position, entry in enumerate(self._entries):
            if entry["id"] == command_id:
                return position
        return None

    def _first_over(self, now_ms):
        """Of the entries whose time is over, the place of the one it is over for longest.

        Without one, that of an entry further ahead than any command may be.
        """
        first, ahead = None, None
        for position, entry in enumerate(self._entries):
            if entry["status"] == ACCEPTED:
                continue
            if entry["keep"] > now_ms + AHEAD_MS_MAX:
                ahead = position
            elif entry["keep"] < now_ms and (
                first is None or entry["keep"] < self._entries[first]["keep"]
            ):
                first = position
        return ahead if first is None else first

"""How much one transaction may contain. Counted before anything is built from it.

A repeated field costs two bytes on the wire and hundreds in memory, so a size limit alone would
let one mebibyte become several hundred. What is over a limit never enters a block: validators
refuse it at submission, and a block that holds it.
"""

from typing import NoReturn

from ledger.errors import TransactionInvalid
from ledger.model.codes import ValidationCode

ENDORSEMENTS_MAX = 100
ARGUMENTS_MAX = 1_000
"""Arguments of a chaincode function, its name included."""
TRANSIENT_ENTRIES_MAX = 100
NAMESPACES_MAX = 100
RWSET_ENTRIES_MAX = 16_000
"""Reads, writes, scans, their rows or hashes, and metadata entries, together."""
NAME_CHARACTERS_MAX = 255
"""Of a namespace, a collection or a metadata entry: the database has 16 bits for their lengths."""


class EntryCounter:
    """Counts the entries of one read-write set; raises TransactionInvalid BAD_RWSET."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = RWSET_ENTRIES_MAX

    def add(self, entries: int) -> None:
        """Note entries that are about to be read."""
        self._left -= entries
        if self._left < 0:
            _too_many(ValidationCode.BAD_RWSET, "entries in a read-write set", RWSET_ENTRIES_MAX)


def require_at_most(count: int, limit: int, what: str, code: ValidationCode) -> None:
    """Raise TransactionInvalid with `code` for more than `limit`."""
    if count > limit:
        _too_many(code, what, limit)


def require_name(name: str) -> str:
    """The name, unless it is too long for the database: TransactionInvalid BAD_RWSET."""
    if len(name) > NAME_CHARACTERS_MAX:
        _too_many(ValidationCode.BAD_RWSET, "characters in a name", NAME_CHARACTERS_MAX)
    return name


def _too_many(code: ValidationCode, what: str, limit: int) -> NoReturn:
    raise TransactionInvalid(code, f"more than {limit} {what}")

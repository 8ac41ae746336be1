"""Mixed versions: what a validator one version older or newer than the shipped code sends.

Consensus messages, transactions and blocks have one encoding, which is signed; the shipped code
refuses any other, so two versions that run together must speak that one. What may differ is the
mail around them. A newer validator's holds fields that nobody knows yet. An older one neither
sends nor reads what came last into a `Status`.
"""

from enum import Enum

from ledger.wire.validator_pb2 import Item

UNKNOWN_FIELD = b"\xba\x3e\x05later"
"""Field 999, five bytes: legal protobuf that no version so far has a meaning for."""
STATUS_FIELDS_OF_OLD = ("height", "block_hash", "commit_hash")
WITH_ROOM = frozenset({"status", "block_request", "block_response", "transactions"})
"""Kinds of mail that are not signed as a whole and may get more fields."""


class Version(Enum):
    """As seen from the shipped code."""

    OLDER = -1
    SHIPPED = 0
    NEWER = 1


class Forms:
    """Items in the form of a version, made once each."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, Version], tuple[Item, Item]] = {}

    def of(self, item: Item, version: Version) -> Item:
        """The item as a validator of this version writes it, or as it reads it."""
        if version is Version.SHIPPED:
            return item
        known = self._made.get((id(item), version))
        if known is None:  # the item is kept, so no other one gets its id
            form = _with_more(item) if version is Version.NEWER else _with_less(item)
            known = self._made[id(item), version] = (item, form)
        return known[1]


def _with_more(item: Item) -> Item:
    kind = item.WhichOneof("kind")
    if kind not in WITH_ROOM:
        return item
    form = Item()
    form.CopyFrom(item)
    getattr(form, kind).MergeFromString(UNKNOWN_FIELD)
    return form


def _with_less(item: Item) -> Item:
    if item.WhichOneof("kind") != "status":
        return item
    known = {name: getattr(item.status, name) for name in STATUS_FIELDS_OF_OLD}
    return Item(status=type(item.status)(**known))

"""What items hold, taken out of their protobuf once however many places get them."""

from typing import Any

from ledger.wire.validator_pb2 import Item


class Parcels:
    """Remembers every item of a run: one object for all who receive it, its hash known."""

    def __init__(self) -> None:
        self._opened: dict[int, tuple[str | None, Any, Item]] = {}

    def open(self, item: Item) -> tuple[str | None, Any, Item]:
        """(kind, content, the item); bytes of a consensus message, envelopes of transactions."""
        key = id(item)
        known = self._opened.get(key)
        if known is None:  # the item is kept, so no other one gets its id
            kind = item.WhichOneof("kind")
            content = None if kind is None else getattr(item, kind)
            if kind == "transactions":
                content = tuple(content.envelopes)
            known = self._opened[key] = (kind, content, item)
        return known

"""What a transaction wants to change, kept until its function has succeeded."""

from collections.abc import Iterator

from chaincode.shim.peer_features import PeerFeatures
from chaincode.shim.requests import PutBatch, PutOne, Request, Write


class PendingWrites:
    """The last write of each key wins; values and metadata are separate."""

    __slots__ = ("_metadata", "_values")

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], Write] = {}
        self._metadata: dict[tuple[str, str], Write] = {}

    def __bool__(self) -> bool:
        return bool(self._values or self._metadata)

    def add(self, write: Write) -> None:
        """Note a write."""
        kept = self._metadata if write.metadata_name else self._values
        kept[write.collection, write.key] = write

    def requests(self, features: PeerFeatures) -> Iterator[Request[None]]:
        """The messages that hand all writes to the peer, in as few as it allows."""
        writes = (*self._values.values(), *self._metadata.values())
        size = features.write_batch_max
        if not size:
            yield from map(PutOne, writes)
            return
        for start in range(0, len(writes), size):
            yield PutBatch(writes[start : start + size])

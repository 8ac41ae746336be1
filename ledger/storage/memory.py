"""The key-value port in memory, for tests and simulations."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from ledger.errors import NodeFault
from ledger.storage.kv import Batch, KeyValueReader


class MemoryView:
    """A dictionary with its keys in order; never changed once it is shared as a snapshot."""

    def __init__(self, values: dict[bytes, bytes], ordered_keys: list[bytes]) -> None:
        self.values = values
        self.ordered_keys = ordered_keys

    def get(self, key: bytes) -> bytes | None:
        """See KeyValueReader."""
        return self.values.get(key)

    def iterate(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See KeyValueReader."""
        low = bisect_left(self.ordered_keys, start)
        high = bisect_left(self.ordered_keys, stop)
        keys = self.ordered_keys[low:high]
        values = self.values
        pairs = [(key, values[key]) for key in (reversed(keys) if reverse else keys)]
        return iter(pairs)


class MemoryStore:
    """KeyValueStore without a disk. Snapshots share memory until the next write."""

    def __init__(self) -> None:
        self._view = MemoryView({}, [])
        self._shared = False
        self._closed = False

    def get(self, key: bytes) -> bytes | None:
        """See KeyValueReader."""
        return self._open_view().get(key)

    def iterate(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See KeyValueReader."""
        return self._open_view().iterate(start, stop, reverse=reverse)

    def write(self, batch: Batch, *, sync: bool) -> None:
        """See KeyValueStore; `sync` has nothing to do here."""
        view = self._open_view()
        if self._shared:
            view = MemoryView(dict(view.values), list(view.ordered_keys))
            self._view, self._shared = view, False
        for key, value in batch:
            if value is not None:
                if key not in view.values:
                    insort(view.ordered_keys, key)
                view.values[key] = value
            elif key in view.values:
                del view.values[key]
                del view.ordered_keys[bisect_left(view.ordered_keys, key)]

    def snapshot(self) -> KeyValueReader:
        """See KeyValueStore."""
        self._shared = True
        return self._open_view()

    def close(self) -> None:
        """See KeyValueStore."""
        self._closed = True

    def _open_view(self) -> MemoryView:
        if self._closed:
            raise NodeFault("the store is closed")
        return self._view

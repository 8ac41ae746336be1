"""Meters that should report and were never heard: known of by the ledger only."""

from collections.abc import Callable, Collection

from gateway.hems.devices import DeviceBook


class ExpectedDevices:
    """Since when this process waits for each of them; a restart begins anew."""

    def __init__(self, names: Callable[[], Collection[str]] = tuple) -> None:
        """`names` tells which are expected now."""
        self._names = names
        self._since_ms: dict[str, int] = {}

    def overdue(self, book: DeviceBook, now_ms: int, after_ms: int) -> list[str]:
        """Those that were expected for longer than `after_ms` and never spoke."""
        self._since_ms = {name: self._since_ms.get(name, now_ms) for name in self._names()}
        return [
            name
            for name, since_ms in self._since_ms.items()
            if now_ms - since_ms > after_ms and not _was_heard(book, name)
        ]


def _was_heard(book: DeviceBook, device_id: str) -> bool:
    device = book.get(device_id)
    return device is not None and device.last_seen_ms > 0

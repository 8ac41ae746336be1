"""Meters that should report and were never heard: known of by the ledger only."""

from collections.abc import Callable, Collection

from gateway.hems.devices import DeviceBook
from gateway.hems.waits import WaitBook


class ExpectedDevices:
    """Those that are expected; since when, the gateway's waits tell."""

    def __init__(self, names: Callable[[], Collection[str]] = tuple) -> None:
        """`names` tells which are expected now."""
        self._names = names

    def overdue(self, book: DeviceBook, waits: WaitBook, now_ms: int, after_ms: int) -> list[str]:
        """Those that were expected for longer than `after_ms` and never spoke."""
        unheard = [name for name in self._names() if not _was_heard(book, name)]
        waits.only(unheard)
        since_ms = waits.all_since_ms(unheard, now_ms)
        return [name for name in unheard if now_ms - since_ms[name] > after_ms]


def _was_heard(book: DeviceBook, device_id: str) -> bool:
    device = book.get(device_id)
    return device is not None and device.last_seen_ms > 0

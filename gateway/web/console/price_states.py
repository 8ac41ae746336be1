"""Which of the published prices are in force."""

from collections.abc import Iterable

from chaincode.energy.oracle.records import PricePoint


def in_force(prices: Iterable[PricePoint], now_ms: int) -> dict[str, int]:
    """By series: since when (ms UTC) the price has been in force that is now."""
    begun = [point for point in prices if point.effective_from_ms <= now_ms]
    return {
        point.series: point.effective_from_ms
        for point in sorted(begun, key=lambda point: point.effective_from_ms)
    }

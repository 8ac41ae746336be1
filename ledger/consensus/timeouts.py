"""How long a round lasts."""

from ledger.consensus.limits import MAX_TIMEOUT_DOUBLINGS, MAX_TIMEOUT_MS


def round_timeout_ms(
    base_timeout_ms: int, round_number: int, *, max_timeout_ms: int = MAX_TIMEOUT_MS
) -> int:
    """Milliseconds: the base doubled once per round, six times at most, never over the cap."""
    doublings = min(round_number, MAX_TIMEOUT_DOUBLINGS)
    return min(base_timeout_ms << doublings, max_timeout_ms)


def rebroadcast_interval_ms(
    base_timeout_ms: int, round_number: int, *, max_timeout_ms: int = MAX_TIMEOUT_MS
) -> int:
    """Milliseconds between repeats of own messages while a round does not end."""
    timeout_ms = round_timeout_ms(base_timeout_ms, round_number, max_timeout_ms=max_timeout_ms)
    return max(1, timeout_ms // 2)

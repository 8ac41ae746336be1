"""How long a round lasts."""

from ledger.consensus.limits import MAX_TIMEOUT_DOUBLINGS, MAX_TIMEOUT_MS


def round_timeout_ms(base_timeout_ms: int, round_number: int) -> int:
    """Milliseconds: the base doubled once per round, six times at most, never over a minute."""
    doublings = min(round_number, MAX_TIMEOUT_DOUBLINGS)
    return min(base_timeout_ms << doublings, MAX_TIMEOUT_MS)


def rebroadcast_interval_ms(base_timeout_ms: int, round_number: int) -> int:
    """Milliseconds between repeats of own messages while a round does not end."""
    return max(1, round_timeout_ms(base_timeout_ms, round_number) // 2)

"""Quorum arithmetic and the turn of proposers, in integers.

For every n: two quorums share an honest validator (2Q - n > f), and the honest ones can form a
quorum alone (n - f >= Q). `2f + 1` and `n // 2 + 1` do not have both properties for every n.
"""

from collections.abc import Sequence


def max_faulty(validators: int) -> int:
    """f: how many of `validators` may lie without breaking safety, floor((n - 1) / 3)."""
    return (validators - 1) // 3


def quorum(validators: int) -> int:
    """Q: how many must agree, ceil(2n / 3)."""
    return (2 * validators + 2) // 3


def weak_quorum(validators: int) -> int:
    """F + 1: at least one of them is honest."""
    return max_faulty(validators) + 1


def proposer_of(validators: Sequence[int], height: int, round_number: int) -> int:
    """Consenter id whose turn it is; `validators` sorted.

    Turns depend on nothing else, so a light client can check them and no proposer stays.
    """
    return validators[(height + round_number) % len(validators)]

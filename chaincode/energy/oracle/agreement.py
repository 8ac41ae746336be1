"""When several oracles agree on a number: a pure rule (k of n).

A panel of n oracles is asked; an answer counts once at least k of them lie within `tolerance` of
each other. More than half must agree (2k > n), so two different values can never both win,
and n - k liars change nothing: with a tolerance of 0 the value is the honest one exactly,
otherwise it lies within the tolerance of an honest answer.
"""

from bisect import bisect_right
from collections.abc import Sequence

PANEL_MEMBERS_MAX = 21
PANEL_MEMBERS_MIN = 3
"""Outside development, so that one liar is outvoted."""


def agreed_value(answers: Sequence[int], *, quorum: int, tolerance: int) -> int | None:
    """The value at least `quorum` answers agree on; None if there is none yet.

    The largest group wins, then the closest, then the lowest; its value is the middle answer,
    the lower of two. The order of the answers does not matter.
    """
    ordered = sorted(answers)
    groups = []
    for start, lowest in enumerate(ordered):
        end = bisect_right(ordered, lowest + tolerance)
        if end - start >= quorum:
            groups.append((start - end, ordered[end - 1] - lowest, start, end))
    if not groups:
        return None
    *_, start, end = min(groups)
    return ordered[(start + end - 1) // 2]


def problem_with_panel(members: int, quorum: int, *, is_development: bool) -> str | None:
    """Why a panel of this size cannot decide safely, as one sentence; None if it can."""
    if not 0 < quorum <= members <= PANEL_MEMBERS_MAX:
        return f"a panel has 1 to {PANEL_MEMBERS_MAX} members, and at most that many must agree"
    if 2 * quorum <= members:
        return "more than half of the oracles must agree"
    if not is_development and members < PANEL_MEMBERS_MIN:
        return f"fewer than {PANEL_MEMBERS_MIN} oracles are for development only"
    if not is_development and quorum == members:
        return "one silent oracle must not stop the others: fewer than all must agree"
    return None

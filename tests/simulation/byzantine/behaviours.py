"""The ways to lie of the catalogue in docs/reliability.md, and which of them a seed chooses."""

import random
from collections.abc import Mapping
from enum import StrEnum


class Behaviour(StrEnum):
    """Names as the simulator counts them."""

    SILENT = "B1 silent"
    CRASH = "B2 crash"
    TWO_PROPOSALS = "B3 two proposals"
    PROPOSAL_TO_SOME = "B4 proposal to some"
    DOUBLE_VOTE = "B5 votes for several blocks"
    VOTE_TO_SOME = "B6 votes to some"
    VOTE_ELSEWHERE = "B7 votes of other rounds and heights"
    EARLY_COMMIT = "B8 commit without prepares"
    HIDDEN_LOCK = "B9 hidden lock"
    FALSE_LOCK = "B10 false lock"
    WEAKEST_JUSTIFICATION = "B11 weakest justification"
    LOWER_CERTIFICATE = "B12 lower certificate"
    BROKEN_JUSTIFICATION = "B13 broken justification"
    WRONG_PROPOSER = "B14 wrong proposer"
    BAD_BLOCK = "B15 bad block"
    REPLAY = "B16 replay"
    WITHHELD_COMMITS = "B17 withheld commits"
    BAD_SEALS = "B18 bad seals"
    HUGE_ROUND = "B19 huge round"
    FLOOD = "B20 flood"
    SYNC_LIE = "B21 lies about the chain"
    MALLEATED = "B22 malleated signature"
    TWIN = "B23 twin"
    MUTATION = "B24 small mutation"
    """Beside the catalogue's twenty-three: a captured message with one number off by one."""


PLANNED = {
    Behaviour.TWO_PROPOSALS: 4,
    Behaviour.PROPOSAL_TO_SOME: 2,
    Behaviour.DOUBLE_VOTE: 4,
    Behaviour.VOTE_TO_SOME: 6,
    Behaviour.EARLY_COMMIT: 3,
    Behaviour.HIDDEN_LOCK: 5,
    Behaviour.WEAKEST_JUSTIFICATION: 6,
    Behaviour.LOWER_CERTIFICATE: 3,
    Behaviour.WITHHELD_COMMITS: 4,
}
"""What an attack on a lock is made of, with how often each is tried."""
NOISE = {
    behaviour: 1
    for behaviour in Behaviour
    if behaviour not in PLANNED and behaviour is not Behaviour.TWIN
}


def draw_behaviours(rng: random.Random) -> Mapping[Behaviour, int]:
    """Behaviour → weight: most of a plan, or some noise, or a little of everything."""
    share, noise = rng.choice([(0.9, 0.1), (0.6, 0.3), (0.3, 0.6), (1, 0), (1, 1)])
    drawn = {b: weight for b, weight in PLANNED.items() if rng.random() < share}
    drawn |= {b: weight for b, weight in NOISE.items() if rng.random() < noise}
    return drawn or dict(PLANNED)

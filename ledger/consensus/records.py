"""What a validator writes to its journal before it signs, and what it recovers from it.

| before signing | record that is durable |
|---|---|
| PROPOSAL | `ProposalMade`: also binds the author's own PREPARE of that round |
| PREPARE | `PrepareVoted` |
| COMMIT | `CommitVoted`: also the lock, with its block and quorum of prepares |
| ROUND-CHANGE | `RoundAnnounced`: no vote below this round any more |

Records of a height are useless once its block is committed; the journal may then be truncated.
"""

from dataclasses import dataclass, field

from ledger.consensus.messages import (
    Prepare,
    PreparedCertificate,
    ProposedBlock,
    RoundChange,
    Signed,
)


@dataclass(frozen=True, slots=True)
class ProposalMade:
    """This validator proposed `block`; the justification lets it repeat the same message."""

    height: int
    round: int
    block: ProposedBlock
    round_changes: tuple[Signed[RoundChange], ...]
    prepares: tuple[Signed[Prepare], ...]


@dataclass(frozen=True, slots=True)
class PrepareVoted:
    """This validator accepted `block` as the proposal of (height, round)."""

    height: int
    round: int
    block: ProposedBlock


@dataclass(frozen=True, slots=True)
class CommitVoted:
    """This validator is locked on the block it accepted in (height, round).

    The block itself is in the `ProposalMade` or `PrepareVoted` record of the same round, which
    always stands before this one; only its digest is repeated.
    """

    height: int
    round: int
    digest: bytes
    prepares: tuple[Signed[Prepare], ...]


@dataclass(frozen=True, slots=True)
class RoundAnnounced:
    """This validator promised not to vote in any round below `round`."""

    height: int
    round: int


Record = ProposalMade | PrepareVoted | CommitVoted | RoundAnnounced


@dataclass(frozen=True, slots=True)
class SafetyRecord:
    """What a restarted validator still owes to what it signed at `height`.

    `accepted` is the block it prepared in `round`, `committed` says that it also sealed it there.
    """

    height: int
    round: int = 0
    announced: bool = False
    """A ROUND-CHANGE for `round` may have been sent."""
    proposal: ProposalMade | None = None
    """Its own proposal in `round`."""
    accepted: ProposedBlock | None = None
    committed: bool = False
    prepared: PreparedCertificate | None = field(default=None)

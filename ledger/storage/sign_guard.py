"""The last guard before a validator's key: never two different votes for one slot.

It knows nothing of consensus, only that (height, round) never goes back and that a slot, once
signed, stays as it is. It keeps the signed bytes, so that after a restart the same vote can be
sent again although signatures and nonces are random.
"""

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ledger.errors import NodeFault
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.storage.journal import Journal

VOTES_PER_HEIGHT_MAX = 4_096

_SLOT = struct.Struct(">QQB")
_LENGTHS = struct.Struct(">HIH")

Slot = tuple[int, int, str]
"""(height, round, kind of message)"""


@dataclass(frozen=True, slots=True)
class SignedVote:
    """What was signed for a slot."""

    digest: bytes
    """What was voted for."""
    payload: bytes
    """The bytes that were signed and are sent."""
    signature: bytes


class SignGuard:
    """Signs each slot once. Its memory is the journal's, durable before a signature leaves."""

    def __init__(self, journal: Journal, fail_points: FailPoints | None = None) -> None:
        self._journal = journal
        self._fail_points = fail_points or FailPoints()
        self._lock = threading.Lock()
        self._votes: dict[Slot, SignedVote] = {}
        self._newest = (0, 0)
        self._dropped_round = -1
        """Up to here votes of the newest height may be missing, because there was no more room."""
        for raw in journal.read_votes():
            slot, vote = _decode(raw)
            self._remember(slot, vote)

    def has_signed(self, height: int, kind: str) -> bool:
        """Whether a vote of this kind for that height, the newest one, is remembered."""
        with self._lock:
            return any(slot[0] == height and slot[2] == kind for slot in self._votes)

    def may_have_signed(self, *, height: int, round_: int, kind: str, payload: bytes) -> bool:
        """False only when these bytes for that slot were certainly not signed here.

        Heights that are over, and rounds there was no more room for, are not remembered.
        """
        with self._lock:
            newest_height = self._newest[0]
            if height < max(newest_height, self._journal.height):
                return True
            if height == newest_height and round_ <= self._dropped_round:
                return True
            known = self._votes.get((height, round_, kind))
            return known is not None and known.payload == payload

    def sign_once(
        self,
        *,
        height: int,
        round_: int,
        kind: str,
        digest: bytes,
        payload: bytes,
        sign: Callable[[bytes], bytes],
        sync: bool = True,
    ) -> SignedVote:
        """Sign `payload` for a slot, or return what was signed for it and the same digest before.

        Raises NodeFault for another digest in the slot and for a height or round below the newest
        one signed: a node that asks for that would equivocate and must stop. With `sync=False`
        the caller promises to call the journal's `sync` before anything is sent.
        """
        slot = (height, round_, kind)
        with self._lock:
            known = self._votes.get(slot)
            if known is not None:
                if known.digest != digest:
                    raise NodeFault(
                        f"refused to sign a second {kind} for height {height}, round {round_}"
                    )
                if sync:
                    self._journal.sync()
                return known
            self._require_progress(height, round_, kind)
            self._fail_points.reach(FailPoint.VOTE_BEFORE_SIGN)
            vote = SignedVote(digest, payload, sign(payload))
            self._fail_points.reach(FailPoint.VOTE_SIGNED)
            self._journal.append_vote(_encode(slot, vote), sync=sync)
            self._fail_points.reach(FailPoint.VOTE_NOTED)
            self._remember(slot, vote)
            return vote

    def _require_progress(self, height: int, round_: int, kind: str) -> None:
        if height < self._journal.height or (height, round_) < self._newest:
            newest_height, newest_round = max(self._newest, (self._journal.height, 0))
            raise NodeFault(
                f"refused to sign a {kind} for height {height}, round {round_}:"
                f" already at height {newest_height}, round {newest_round}"
            )

    def _remember(self, slot: Slot, vote: SignedVote) -> None:
        if slot[0] > self._newest[0]:
            self._votes.clear()
            self._dropped_round = -1
        self._newest = max(self._newest, slot[:2])
        if len(self._votes) >= VOTES_PER_HEIGHT_MAX:
            # The oldest rounds can only be refused from now on, which is safe.
            oldest = next(iter(self._votes))
            self._dropped_round = max(self._dropped_round, oldest[1])
            del self._votes[oldest]
        self._votes[slot] = vote


def _encode(slot: Slot, vote: SignedVote) -> bytes:
    height, round_, kind = slot
    kind_bytes = kind.encode()
    return b"".join(
        (
            _SLOT.pack(height, round_, len(kind_bytes)),
            kind_bytes,
            _LENGTHS.pack(len(vote.digest), len(vote.payload), len(vote.signature)),
            vote.digest,
            vote.payload,
            vote.signature,
        )
    )


def _decode(raw: bytes) -> tuple[Slot, SignedVote]:
    try:
        height, round_, kind_length = _SLOT.unpack_from(raw)
        lengths_at = _SLOT.size + kind_length
        kind = raw[_SLOT.size : lengths_at].decode()
        digest_length, payload_length, signature_length = _LENGTHS.unpack_from(raw, lengths_at)
    except (struct.error, UnicodeDecodeError) as error:
        raise NodeFault("a vote in the journal cannot be decoded") from error
    digest_at = lengths_at + _LENGTHS.size
    payload_at = digest_at + digest_length
    signature_at = payload_at + payload_length
    if len(raw) != signature_at + signature_length:
        raise NodeFault("a vote in the journal cannot be decoded")
    vote = SignedVote(raw[digest_at:payload_at], raw[payload_at:signature_at], raw[signature_at:])
    return (height, round_, kind), vote

"""Consensus messages that cannot be judged yet: their height may be decided by a set to come.

Validators that have a configuration block already vote on the next height under its set. Whoever
is a moment behind keeps what they say, unread and within a quota for each sender, until it has
that block too.
"""

from dataclasses import dataclass

from ledger.consensus.limits import FUTURE_HEIGHTS
from ledger.errors import InvalidMessage, Reason

EARLY_MESSAGES_PER_SENDER_MAX = 16
EARLY_BYTES_PER_SENDER_MAX = 16 * 1024 * 1024


class NotYetJudged(InvalidMessage):
    """No fault of the sender's: `height` is beyond the one under decision here."""

    def __init__(self, height: int, cause: InvalidMessage) -> None:
        super().__init__(Reason.WRONG_HEIGHT, f"height {height} is ahead: {cause}")
        self.height = height


@dataclass(frozen=True, slots=True)
class EarlyMessage:
    """Bytes as another validator sent them."""

    sender: int
    raw: bytes
    height: int


class EarlyMessages:
    """Kept in order of arrival; a full quota drops the sender's newest, never another's."""

    def __init__(self) -> None:
        self._kept: list[EarlyMessage] = []

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, message: EarlyMessage, *, next_height: int) -> bool:
        """True if kept; a height far ahead is only a reason to catch up."""
        if message.height > next_height + FUTURE_HEIGHTS or message in self._kept:
            return False
        sizes = [len(kept.raw) for kept in self._kept if kept.sender == message.sender]
        if (
            len(sizes) >= EARLY_MESSAGES_PER_SENDER_MAX
            or sum(sizes) + len(message.raw) > EARLY_BYTES_PER_SENDER_MAX
        ):
            return False
        self._kept.append(message)
        return True

    def release(self, height: int) -> list[EarlyMessage]:
        """Hand out what was kept for `height`; forget everything below."""
        due = [kept for kept in self._kept if kept.height == height]
        self._kept = [kept for kept in self._kept if kept.height > height]
        return due

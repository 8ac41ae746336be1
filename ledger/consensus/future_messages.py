"""Messages for heights this validator has not reached, within a quota for each author."""

from dataclasses import dataclass

from ledger.consensus.limits import (
    FUTURE_BLOCKS_PER_AUTHOR,
    FUTURE_HEIGHTS,
    FUTURE_MESSAGES_PER_AUTHOR,
)
from ledger.consensus.messages import Message, ProposalMessage, RoundChangeMessage


@dataclass(frozen=True, slots=True)
class EarlyMessage:
    """A message with the time it came: a fresh block is judged by the clock of that moment."""

    message: Message
    now_ms: int

    @property
    def author(self) -> int:
        return self.message.signed.author

    @property
    def height(self) -> int:
        return self.message.signed.payload.height

    @property
    def carries_block(self) -> bool:
        match self.message:
            case ProposalMessage():
                return True
            case RoundChangeMessage(block=block):
                return block is not None
            case _:
                return False


class FutureMessages:
    """Kept in order of arrival; a full quota drops the author's newest, never another's."""

    def __init__(self) -> None:
        self._messages: list[EarlyMessage] = []
        self._claimed: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def claims(self) -> dict[int, int]:
        """The highest height each author spoke about: hints for catching up."""
        return dict(self._claimed)

    def keep(self, early: EarlyMessage, *, current_height: int) -> bool:
        """True if kept; the author's claim to be ahead is remembered either way."""
        claimed = max(early.height, self._claimed.get(early.author, 0))
        self._claimed[early.author] = claimed
        if early.height > current_height + FUTURE_HEIGHTS:
            return False
        of_author = [kept for kept in self._messages if kept.author == early.author]
        if len(of_author) >= FUTURE_MESSAGES_PER_AUTHOR:
            return False
        blocks = sum(kept.carries_block for kept in of_author)
        if early.carries_block and blocks >= FUTURE_BLOCKS_PER_AUTHOR:
            return False
        if any(kept.message == early.message for kept in of_author):
            return False
        self._messages.append(early)
        return True

    def release(self, height: int) -> tuple[EarlyMessage, ...]:
        """Hand out what was kept for `height`; forget everything below."""
        due = tuple(early for early in self._messages if early.height == height)
        self._messages = [early for early in self._messages if early.height > height]
        self._claimed = {a: claimed for a, claimed in self._claimed.items() if claimed > height}
        return due

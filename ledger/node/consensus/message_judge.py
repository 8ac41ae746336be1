"""What a consensus message must pass before the core sees it: form, signatures, block contents."""

from collections.abc import Callable

from ledger.consensus.limits import FUTURE_HEIGHTS
from ledger.consensus.messages import (
    CommitMessage,
    Message,
    ProposalMessage,
    ProposedBlock,
    RoundChangeMessage,
)
from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.transaction import Envelope
from ledger.node.consensus.early_messages import EarlyMessage, EarlyMessages, NotYetJudged
from ledger.ordering.block_building import check_contents, check_named_config
from ledger.ordering.consensus_codec import decode_message
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import BlockLimits


class NoLongerJudged(InvalidMessage):
    """No fault of the sender's: it is behind, at a height decided under a set of long ago."""

    def __init__(self, height: int) -> None:
        super().__init__(Reason.WRONG_HEIGHT, f"the validators of height {height} are forgotten")


class MessageJudge:
    """Judges messages of the height under decision; belongs to the consensus thread."""

    def __init__(
        self,
        verifier: ConsensusVerifier,
        memory: EnvelopeMemory,
        *,
        limits: Callable[[], BlockLimits],
        last_config: Callable[[], int],
        check_config: Callable[[Envelope, int], None],
        next_height: Callable[[], int] | None = None,
        decode: Callable[[bytes], Message] = decode_message,
    ) -> None:
        """`last_config` is the number of the newest configuration block, `limits` are its own.

        `check_config` raises InvalidMessage for a CONFIG envelope that would not take effect in a
        block of that time (milliseconds since 1970): Fabric's peers halt at one that does not.
        `next_height` is the height under decision: a configuration may come before a later one.
        `decode` may remember what it decoded: a message has one meaning.
        """
        self._verifier = verifier
        self._last_config = last_config
        self._check_config = check_config
        self._memory = memory
        self._limits = limits
        self._decode = decode
        self._next_height = next_height
        self._early = EarlyMessages()
        self._checked_blocks: dict[bytes, ProposedBlock] = {}

    def judge(self, raw: bytes, sender: int = 0) -> Message:
        """The message, every signed part verified; raises InvalidMessage.

        One of a later height that does not hold under the configuration of now is kept for its
        height: NotYetJudged. One of a height whose validators are not remembered: NoLongerJudged.
        """
        message = self._decode(raw)
        if not self._verifier.knows(message.signed.payload.height):
            raise NoLongerJudged(message.signed.payload.height)
        try:
            return self._checked(message)
        except InvalidMessage as error:
            height = message.signed.payload.height
            next_height = height if self._next_height is None else self._next_height()
            if height <= next_height:
                raise
            self._early.keep(EarlyMessage(sender, raw, height), next_height=next_height)
            raise NotYetJudged(height, error) from error

    def take_early(self) -> list[EarlyMessage]:
        """What was kept for the height that is decided next; it is to be judged now."""
        return [] if self._next_height is None else self._early.release(self._next_height())

    def _checked(self, message: Message) -> Message:
        self._verifier.check(message)
        if isinstance(message, ProposalMessage | RoundChangeMessage):
            if message.block is not None and not self._is_past(message):
                self._check_block(message.block)
        elif isinstance(message, CommitMessage):
            return self._with_seal(message)
        return message

    def _is_past(self, message: Message) -> bool:
        """Of a decided height: its author is behind, and another configuration was in force."""
        height = message.signed.payload.height
        return self._next_height is not None and height < self._next_height()

    def know(self, block: ProposedBlock) -> None:
        """Note a block whose contents need no check: our own."""
        if len(self._checked_blocks) >= FUTURE_HEIGHTS:
            self._checked_blocks.clear()
        self._checked_blocks[block.digest] = block

    def check_seal(self, message: CommitMessage, block: ProposedBlock) -> CommitMessage:
        """The message with its seal verified against `block`; raises InvalidMessage."""
        return self._verifier.check_seal(message, block)

    def forget_blocks(self) -> None:
        """The height is decided."""
        self._checked_blocks.clear()

    def _check_block(self, block: ProposedBlock) -> None:
        # The digest does not cover the entries themselves, only hashes that claim to be theirs.
        known = self._checked_blocks.get(block.digest)
        if known is None or known.entries != block.entries:
            before = self._last_config()
            check_named_config(
                block.metadata,
                block.last_config,
                number=block.height,
                entries=block.entries,
                before=before,
            )
            check_contents(block, self._limits(), self._memory)
            if block.last_config == block.height:
                self._check_config_block(block)
            self.know(block)

    def _check_config_block(self, block: ProposedBlock) -> None:
        if self._next_height is not None and block.height > self._next_height():
            raise InvalidMessage(Reason.WRONG_HEIGHT, "what it changes is not decided yet")
        envelope = self._memory.decode(block.entries[0])
        if isinstance(envelope, TransactionInvalid):
            raise InvalidMessage(Reason.MALFORMED, envelope.detail)
        self._check_config(envelope, block.metadata.block_time_ms)

    def _with_seal(self, message: CommitMessage) -> CommitMessage:
        block = self._checked_blocks.get(message.signed.payload.digest)
        return message if block is None else self._verifier.check_seal(message, block)

"""Four validators' keys and a ledger: blocks, votes and certificates with real signatures."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ledger.consensus.events import Tip
from ledger.consensus.messages import (
    Commit,
    CommitMessage,
    Payload,
    Prepare,
    PrepareMessage,
    Proposal,
    ProposalMessage,
    ProposedBlock,
    RoundChange,
    RoundChangeMessage,
    Signed,
    sign_bytes,
)
from ledger.consensus.quorum import proposer_of
from ledger.crypto.signing import Signer
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import Block
from ledger.model.transaction import Envelope
from ledger.node.committing.committer import Committer
from ledger.node.membership.channel import open_channel
from ledger.node.membership.signatures import SignatureVerifier
from ledger.ordering.block_building import build_block
from ledger.ordering.consensus_codec import encode_payload
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.seals import make_seal, sealed_block
from tests.support.ledger_world import START_NS, LedgerWorld

VALIDATOR_IDS = (1, 2, 3, 4)
NOW_MS = START_NS // 1_000_000 + 3_600_000
NONCE = bytes(24)


class ValidatorWorld(LedgerWorld):
    """One peer's ledger and every validator's key; tests speak for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.channel = open_channel(self.store, self.consortium.genesis)
        self.validators = self.channel.state.validators
        self.memory = EnvelopeMemory()
        # Validation checks signatures where it runs; only checks off the loop need a thread.
        self.threads = ThreadPoolExecutor(max_workers=1)
        self.verifier = SignatureVerifier(lambda: self.channel.state.registry, self.threads)
        self.committer = self.new_committer()
        self.domain = self.channel.state.domain

    def new_committer(self) -> Committer:
        """A committer as after a restart."""
        return Committer(
            store=self.store,
            channel=self.channel,
            context=self.context,
            memory=self.memory,
        )

    @property
    def tip(self) -> Tip:
        return self.committer.tip

    def check_config(self, envelope: Envelope, at_ms: int) -> None:
        """`MessageJudge`'s: there are no configuration updates here."""
        raise InvalidMessage(Reason.CONFIG_MISMATCH, f"no update at {at_ms} ms: {envelope.tx_id}")

    def key(self, author: int) -> Signer:
        return self.consortium.members[author - 1].node.signer

    def proposer(self, round_: int = 0) -> int:
        return proposer_of(VALIDATOR_IDS, self.tip.height + 1, round_)

    def block(self, *entries: bytes, proposer: int | None = None) -> ProposedBlock:
        """A fresh block on the tip; of one transaction unless told otherwise."""
        return build_block(
            tip=self.tip,
            proposer=self.proposer() if proposer is None else proposer,
            entries=entries or (self.transaction(),),
            last_config=self.committer.last_config,
            now_ms=NOW_MS,
        )

    # -- what validators say ----------------------------------------------------------------------

    def signed(self, payload: Payload, author: int) -> Signed[Payload]:
        raw = encode_payload(payload, author)
        return Signed(payload, author, raw, self.key(author).sign(sign_bytes(self.domain, raw)))

    def proposal(self, block: ProposedBlock, round_: int = 0, **parts: object) -> ProposalMessage:
        payload = Proposal(block.height, round_, block.digest)
        return ProposalMessage(self.signed(payload, self.proposer(round_)), block, **parts)

    def prepare(self, author: int, block: ProposedBlock, round_: int = 0) -> PrepareMessage:
        return PrepareMessage(self.signed(Prepare(block.height, round_, block.digest), author))

    def commit_vote(self, author: int, block: ProposedBlock, round_: int = 0) -> CommitMessage:
        seal = make_seal(self.key(author), author, NONCE, block, round_)
        payload = Commit(block.height, round_, block.digest, seal)
        return CommitMessage(self.signed(payload, author), seal_verified=False)

    def round_change(
        self, author: int, round_: int, locked: ProposedBlock | None = None
    ) -> RoundChangeMessage:
        """A round change, with a lock on a block in round 0 if one is given."""
        height = self.tip.height + 1
        if locked is None:
            return RoundChangeMessage(self.signed(RoundChange(height, round_, None, None), author))
        payload = RoundChange(height, round_, 0, locked.digest)
        prepares = tuple(self.prepare(a, locked).signed for a in VALIDATOR_IDS[:3])
        return RoundChangeMessage(self.signed(payload, author), locked, prepares)

    def certified(
        self,
        *entries: bytes,
        signers: Sequence[int] = (2, 3, 4),
        round_: int = 0,
        block: ProposedBlock | None = None,
    ) -> Block:
        """A block with the seals of these validators, as another peer would send it."""
        chosen = self.block(*entries) if block is None else block
        seals = [make_seal(self.key(i), i, NONCE, chosen, round_) for i in signers]
        return sealed_block(chosen, round_, tuple(seals))

"""Another set of validators decides from the height after the block that changed it."""

from dataclasses import replace

from ledger.consensus import effects as fx
from ledger.consensus import events as ev
from ledger.consensus.core import Core
from ledger.consensus.messages import Message
from ledger.consensus.round_state import CoreSettings
from ledger.crypto.hashing import sha256
from tests.support.unsigned_votes import (
    NOW_MS,
    commit,
    genesis_tip,
    make_block,
    prepare,
    proposal,
    tip_after,
)

OLD, NEW = (1, 2, 3, 4), (1, 2, 3, 5)


class After:
    """Validator 1, when block 1 has put validator 5 in the place of validator 4."""

    def __init__(self, *early: Message) -> None:
        """`early` came before block 1 was committed."""
        self.core = Core(CoreSettings(own_id=1))
        genesis = genesis_tip(OLD)
        self.core.step(ev.Started(genesis))
        self.receive(*early)
        changing = make_block(tip=genesis, proposer=2, entries=(b"change",), block_time_ms=NOW_MS)
        self.tip = replace(
            tip_after(genesis, changing), validators=NEW, validator_set_hash=sha256(bytes(NEW))
        )
        self.core.step(ev.BlockCommitted(self.tip))
        self.block = make_block(  # of height 2, where it is the turn of 3
            tip=self.tip, proposer=3, entries=(b"next",), block_time_ms=NOW_MS
        )

    def receive(self, *messages: Message) -> list[fx.Effect]:
        return [e for m in messages for e in self.core.step(ev.MessageReceived(m, NOW_MS))]


def test_a_new_validator_is_heard_from_the_next_height_on():
    after = After()
    after.receive(proposal(after.block, 0, 3))
    effects = after.receive(*(commit(after.block, 0, author) for author in (2, 3, 5)))
    [decision] = [effect for effect in effects if isinstance(effect, fx.CommitBlock)]
    assert [c.signed.author for c in decision.commits] == [2, 3, 5]


def test_a_removed_validator_is_not_heard_any_more():
    after = After()
    after.receive(proposal(after.block, 0, 3))
    [refusal] = after.receive(prepare(after.block, 0, 4))
    assert isinstance(refusal, fx.Reject)
    assert refusal.error.reason == "NOT_A_VALIDATOR"


def test_what_was_said_early_under_the_old_set_is_forgotten():
    known = After()
    early = [prepare(known.block, 0, author) for author in (2, 3, 4)]
    assert [len(After().core.state.future), len(After(*early).core.state.future)] == [0, 0]
    after = After(*early)
    after.receive(proposal(known.block, 0, 3))
    assert after.core.state.now.prepared is None, "only its own prepare and that of 3 would count"


def test_a_block_that_names_the_old_set_is_refused():
    after = After()
    stale = replace(after.tip, validators=OLD, validator_set_hash=sha256(bytes(OLD)))
    block = make_block(tip=stale, proposer=3, entries=(b"next",), block_time_ms=NOW_MS)
    [refusal] = after.receive(proposal(block, 0, 3))
    assert isinstance(refusal, fx.Reject)
    assert refusal.error.reason == "WRONG_VALIDATOR_SET"

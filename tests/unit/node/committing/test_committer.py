"""What a block from elsewhere must satisfy, and what a commit leaves behind."""

from dataclasses import replace

import pytest

from ledger.consensus.messages import ProposedBlock
from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.model.block import SLOT_COMMIT_HASH, SLOT_SIGNATURES, Block
from ledger.model.codec_block import (
    decode_block_signatures,
    decode_commit_hash,
    encode_block_signatures,
)
from ledger.model.codes import ValidationCode
from ledger.ordering.block_building import build_block
from tests.support.ledger_world import market, put
from tests.support.validator_world import NOW_MS, ValidatorWorld


@pytest.fixture
def world() -> ValidatorWorld:
    return ValidatorWorld()


def block_with(world: ValidatorWorld, *, last_config: int = 0, **tip: object) -> ProposedBlock:
    return build_block(
        tip=replace(world.tip, **tip),
        proposer=1,
        entries=(world.transaction(),),
        last_config=last_config,
        now_ms=NOW_MS,
    )


def refusal(world: ValidatorWorld, block: Block) -> Reason:
    with pytest.raises(InvalidMessage) as refused:
        world.committer.certified(block)
    return refused.value.reason


def test_a_commit_moves_tip_state_and_hash_together(world: ValidatorWorld) -> None:
    before = world.tip
    good = world.transaction(market(writes=[put("k", b"1")]))
    committed = world.committer.commit(world.committer.certified(world.certified(good)))
    assert world.tip.height == before.height + 1
    assert committed.validation.codes == (ValidationCode.VALID,)
    assert [t.block_number for t in committed.transactions] == [1]
    found = world.store.get_state("market", "k")
    assert found is not None
    assert found.value == b"1"
    assert decode_commit_hash(committed.block.metadata[SLOT_COMMIT_HASH]) == world.tip.commit_hash
    assert world.tip.commit_hash != before.commit_hash
    assert world.new_committer().tip == world.tip, "a restart finds the same"


def test_an_invalid_transaction_uses_up_its_id(world: ValidatorWorld) -> None:
    bad = world.transaction(endorsers=world.nodes(1))
    committed = world.committer.commit(world.committer.certified(world.certified(bad)))
    assert [t.code for t in committed.transactions] == [ValidationCode.ENDORSEMENT_POLICY_FAILURE]


def test_another_parent(world: ValidatorWorld) -> None:
    block = world.certified(block=block_with(world, block_hash=b"p" * 32))
    assert refusal(world, block) is Reason.WRONG_PARENT


def test_another_validator_set(world: ValidatorWorld) -> None:
    block = world.certified(block=block_with(world, validator_set_hash=b"v" * 32))
    assert refusal(world, block) is Reason.WRONG_VALIDATOR_SET


def test_another_configuration(world: ValidatorWorld) -> None:
    assert refusal(world, world.certified(block=block_with(world, last_config=5))) is (
        Reason.MALFORMED
    )


def test_not_later_than_its_parent(world: ValidatorWorld) -> None:
    world.committer.commit(world.certified())
    built = world.block()
    early = replace(built, metadata=replace(built.metadata, block_time_ms=world.tip.block_time_ms))
    assert refusal(world, world.certified(block=early)) is Reason.TIMESTAMP_OUT_OF_WINDOW


def test_a_merkle_root_of_other_entries(world: ValidatorWorld) -> None:
    built = world.block()
    wrong = replace(built, metadata=replace(built.metadata, transactions_root=b"r" * 32))
    assert refusal(world, world.certified(block=wrong)) is Reason.MALFORMED


def test_another_state_stops_the_node_only_when_a_quorum_sealed_it(world: ValidatorWorld) -> None:
    divergent = block_with(world, commit_hash=b"c" * 32)
    few = world.certified(block=divergent, signers=(1, 2))
    assert refusal(world, few) is Reason.POLICY_NOT_SATISFIED
    with pytest.raises(NodeFault, match="safety stop"):
        world.committer.certified(world.certified(block=divergent))
    assert world.tip.height == 0


def test_nothing_is_kept_that_no_seal_covers(world: ValidatorWorld) -> None:
    clean = world.certified()
    signed = decode_block_signatures(clean.metadata[SLOT_SIGNATURES])
    noisy = tuple(replace(s, signature_header_raw=b"noise") for s in signed.signatures)
    slot = encode_block_signatures(replace(signed, signatures=noisy)) + b"\x7a\x05noise"
    smuggled = replace(clean, metadata=(slot, b"noise", b"noise", b"noise", b"noise"))
    assert world.committer.certified(smuggled) == clean


def test_a_certificate_that_expired_before_the_block_signs_nothing(world: ValidatorWorld) -> None:
    expired_ms = world.consortium.registry().identity(world.client.serialized).not_after_ms + 1
    late = build_block(
        tip=world.tip, proposer=1, entries=(world.transaction(),), last_config=0, now_ms=expired_ms
    )
    committed = world.committer.commit(world.certified(block=late))
    assert committed.validation.codes == (ValidationCode.BAD_CREATOR_SIGNATURE,)

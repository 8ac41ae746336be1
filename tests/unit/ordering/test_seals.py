"""Seals and the certificates they add up to."""

from dataclasses import replace

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.model.block import SLOT_SIGNATURES, Block, BlockSignatures
from ledger.model.codec_block import decode_block_signatures, encode_block_signatures
from ledger.ordering.seals import check_certificate, check_seal, make_seal, sealed_block
from tests.support.identities import make_consortium
from tests.support.validator_world import NONCE, ValidatorWorld


@pytest.fixture(scope="module")
def world() -> ValidatorWorld:
    return ValidatorWorld()


def refusal(world: ValidatorWorld, block: Block) -> Reason:
    with pytest.raises(InvalidMessage) as refused:
        check_certificate(block, world.validators)
    return refused.value.reason


def with_signatures(block: Block, **changes: object) -> Block:
    signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    slot = encode_block_signatures(replace(signed, **changes))
    return replace(block, metadata=(slot, *block.metadata[1:]))


def signatures(block: Block) -> BlockSignatures:
    return decode_block_signatures(block.metadata[SLOT_SIGNATURES])


@pytest.mark.parametrize("signers", [(1, 2, 3), (4, 3, 2), (1, 2, 3, 4)])
def test_a_quorum_of_seals_certifies(world: ValidatorWorld, signers: tuple[int, ...]) -> None:
    block = world.certified(signers=signers, round_=7)
    assert check_certificate(block, world.validators).round == 7


@pytest.mark.parametrize("signers", [(), (1,), (1, 2), (1, 1, 1), (1, 2, 2), (2, 2, 2, 1)])
def test_signers_are_counted_not_signatures(
    world: ValidatorWorld, signers: tuple[int, ...]
) -> None:
    assert refusal(world, world.certified(signers=signers)) is Reason.POLICY_NOT_SATISFIED


def test_more_seals_than_validators_are_not_even_verified(world: ValidatorWorld) -> None:
    block = world.certified(signers=(1, 2, 3))
    many = signatures(block).signatures * 100
    assert refusal(world, with_signatures(block, signatures=many)) is Reason.OVERSIZED


def test_a_seal_of_someone_else(world: ValidatorWorld) -> None:
    block = world.block()
    stranger = make_consortium(world.consortium.created).members[0].node.signer
    seals = [make_seal(world.key(i), i, NONCE, block, 0) for i in (1, 2)]
    foreign = make_seal(stranger, 9, NONCE, block, 0)
    assert refusal(world, sealed_block(block, 0, (*seals, foreign))) is Reason.NOT_A_VALIDATOR
    posing = make_seal(stranger, 3, NONCE, block, 0)
    assert refusal(world, sealed_block(block, 0, (*seals, posing))) is Reason.BAD_SIGNATURE


def test_seals_of_different_rounds_never_add_up(world: ValidatorWorld) -> None:
    block = world.block()
    seals = tuple(
        make_seal(world.key(i), i, NONCE, block, round_) for i, round_ in ((1, 0), (2, 0), (3, 1))
    )
    for claimed in (0, 1):
        assert refusal(world, sealed_block(block, claimed, seals)) is Reason.BAD_SIGNATURE


def test_what_a_seal_covers_cannot_be_changed(world: ValidatorWorld) -> None:
    block = world.certified()
    header = block.header
    tampered = [
        replace(block, header=replace(header, number=header.number + 1)),
        replace(block, header=replace(header, previous_hash=b"p" * 32)),
        with_signatures(block, value_raw=signatures(world.certified()).value_raw),
    ]
    assert {refusal(world, one) for one in tampered} == {Reason.BAD_SIGNATURE}
    other_entries = replace(block, entries=(world.transaction(),))
    assert refusal(world, other_entries) is Reason.MALFORMED


def test_a_nonce_is_covered_too(world: ValidatorWorld) -> None:
    block = world.block()
    seal = make_seal(world.key(1), 1, NONCE, block, 0)
    moved = make_seal(world.key(1), 1, b"n" * 24, block, 0)
    with pytest.raises(InvalidMessage):
        check_seal(
            replace(seal, identifier_header_raw=moved.identifier_header_raw),
            world.validators.keys[1],
            block,
            0,
        )


@pytest.mark.parametrize("slot", [b"", b"\x0a\x02\xff\xff", b"\xff"])
def test_damaged_signature_slots(world: ValidatorWorld, slot: bytes) -> None:
    block = replace(world.certified(), metadata=(slot, b"", b"", b"", b""))
    assert refusal(world, block) in (Reason.MALFORMED, Reason.POLICY_NOT_SATISFIED)

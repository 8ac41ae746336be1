"""Which signatures on a configuration update count: good ones of members, over this update."""

from dataclasses import replace

import pytest

from ledger.model.config_difference import compute_update
from ledger.model.config_update import SignedUpdate
from ledger.validation.config_transaction import update_signers
from ledger.wire import common_pb2
from tests.support.config_updates import sign_update, tree_of_config
from tests.support.config_world import ConfigWorld
from tests.support.identities import CHANNEL_ID


@pytest.fixture(scope="module")
def world() -> ConfigWorld:
    return ConfigWorld()


def update_to(world: ConfigWorld, interval_ms: int) -> common_pb2.ConfigUpdate:
    wanted = tree_of_config(replace(world.config, block_interval_ms=interval_ms))
    return compute_update(world.tree, wanted, channel_id=CHANNEL_ID)


def approving(world: ConfigWorld, signed: SignedUpdate) -> list[str]:
    registry = world.channel.state.registry
    return [signer.mspid for signer in update_signers(signed, registry, world.verifier)]


def test_good_signatures_count_in_their_order(world: ConfigWorld) -> None:
    signed = sign_update(update_to(world, 7), world.admins[:3])
    assert approving(world, signed) == [admin.mspid for admin in world.admins[:3]]


def test_a_signature_over_something_else_approves_nothing(world: ConfigWorld) -> None:
    signed = sign_update(update_to(world, 7), world.admins[:3])
    other_raw = update_to(world, 9).SerializeToString()
    assert approving(world, replace(signed, update_raw=other_raw)) == []


NOBODY = common_pb2.SignatureHeader(creator=b"nobody", nonce=b"n").SerializeToString()


@pytest.mark.parametrize("header_raw", [b"\x0a", NOBODY], ids=["cut", "no identity"])
def test_one_that_cannot_be_read_neither_helps_nor_harms(
    world: ConfigWorld, header_raw: bytes
) -> None:
    signed = sign_update(update_to(world, 7), world.admins[:3])
    first, second, third = signed.signatures
    spoiled = (first, replace(second, header_raw=header_raw), third)
    expected = [world.admins[0].mspid, world.admins[2].mspid]
    assert approving(world, replace(signed, signatures=spoiled)) == expected

"""A configuration block through the real committer: what it changes, and from which height."""

from dataclasses import replace

import pytest

from ledger.consensus.quorum import quorum
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import SLOT_SIGNATURES
from ledger.model.codec import encode_envelope
from ledger.model.codec_block import consenter_metadata, decode_block_signatures
from ledger.model.codes import ValidationCode
from ledger.model.config import BatchLimits
from ledger.node.endorsing.endorsing_peers import OtherEndorsers
from ledger.node.membership.channel import open_channel
from ledger.ordering.consensus_verifier import EPOCHS_MAX, ConsensusVerifier
from tests.support.config_updates import config_transaction, tree_of_config
from tests.support.config_world import ConfigWorld
from tests.support.identities import CHANNEL_ID, make_consortium

VALID = (ValidationCode.VALID,)
REFUSED = (ValidationCode.INVALID_CONFIG_TRANSACTION,)


@pytest.fixture
def world() -> ConfigWorld:
    return ConfigWorld()


def five(world: ConfigWorld):
    return world.with_consenters(*world.config.consenters, world.candidate(5))


# -- what changes, and when -----------------------------------------------------------------------


def test_a_fifth_validator_counts_from_the_next_height_on(world: ConfigWorld) -> None:
    before = world.tip
    assert world.reconfigure(five(world)).validation.codes == VALID
    assert world.tip.validators == (1, 2, 3, 4, 5)
    assert world.tip.validator_set_hash != before.validator_set_hash
    with pytest.raises(InvalidMessage) as refused:
        world.follow(signers=(1, 2, 3))
    assert refused.value.reason is Reason.POLICY_NOT_SATISFIED, "the quorum is four of five"
    assert world.follow(signers=(1, 2, 3, 5)).validation.codes == VALID


def test_from_four_to_seven_and_back(world: ConfigWorld) -> None:
    for consenter_id in (5, 6, 7):
        signers = world.tip.validators[: quorum(len(world.tip.validators))]
        joining = world.candidate(consenter_id)
        config = world.with_consenters(*world.config.consenters, joining)
        assert world.reconfigure(config, signers).validation.codes == VALID
    assert world.tip.validators == (1, 2, 3, 4, 5, 6, 7)
    for _ in range(3):
        *staying, leaving = world.config.consenters
        config = world.with_consenters(*staying, removed_consenter_id=7)
        signers = world.tip.validators[-quorum(len(world.tip.validators)) :]
        assert world.reconfigure(config, signers).validation.codes == VALID
        assert leaving.consenter_id not in world.tip.validators
    assert world.tip.validators == (1, 2, 3, 4)
    assert world.committer.last_config == 6
    assert world.follow().validation.codes == VALID


def test_a_rotated_key_signs_from_the_next_height_on(world: ConfigWorld) -> None:
    *others, last = world.config.consenters
    old_key = world.key(4)
    rotated = replace(last, identity_pem=world.candidate(4, member_index=3).identity_pem)
    new_key = world.keys.pop(4)
    committed = world.reconfigure(world.with_consenters(*others, rotated), (2, 3, 4))
    assert committed.validation.codes == VALID
    world.keys[4] = old_key
    with pytest.raises(InvalidMessage) as refused:
        world.follow(signers=(2, 3, 4))
    assert refused.value.reason is Reason.BAD_SIGNATURE
    world.keys[4] = new_key
    assert world.follow(signers=(2, 3, 4)).validation.codes == VALID


def test_a_restart_finds_the_configuration_of_the_newest_block(world: ConfigWorld) -> None:
    world.reconfigure(five(world))
    world.follow(signers=(1, 2, 3, 4))
    reopened = open_channel(world.store, world.consortium.genesis)
    assert reopened.state.config == world.config
    assert reopened.state.config_block == 1
    assert reopened.state.domain == world.channel.state.domain
    assert reopened.state.tree_raw == world.channel.state.tree_raw
    assert world.new_committer().tip == world.tip


def test_blocks_name_the_newest_configuration_block_which_may_be_themselves(
    world: ConfigWorld,
) -> None:
    def named(block) -> tuple[int, int]:
        metadata = consenter_metadata(block)
        assert metadata is not None
        signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
        return metadata.config_before, signed.last_config_number

    config_block = world.reconfigure(replace(world.config, block_interval_ms=9)).block
    assert named(config_block) == (0, 1)
    assert named(world.follow().block) == (1, 1)


def test_a_revoked_client_is_refused_from_the_next_block_on(world: ConfigWorld) -> None:
    assert world.follow(world.transaction()).validation.codes == VALID
    first, *others = world.config.members
    authority = world.consortium.members[0].authority
    crl = authority.revoke([world.client.certificate_pem], now=world.consortium.created)
    revoked = replace(first, revocation_lists=(crl,))
    world.reconfigure(replace(world.config, members=(revoked, *others)))
    assert world.follow(world.transaction()).validation.codes == (
        ValidationCode.BAD_CREATOR_SIGNATURE,
    )


def test_new_block_limits_are_in_force_at_once(world: ConfigWorld) -> None:
    world.reconfigure(replace(world.config, batch_limits=BatchLimits(max_transactions=7)))
    assert world.channel.state.block_limits.transactions_max == 7


def test_listeners_hear_of_a_change_and_of_nothing_else(world: ConfigWorld) -> None:
    heard: list[int] = []
    world.channel.subscribe(lambda state: heard.append(state.config_block))
    world.follow()
    world.reconfigure(five(world))
    world.follow(signers=(1, 2, 3, 4))
    assert heard == [2]


def test_endorsers_follow_the_validators(world: ConfigWorld) -> None:
    others = OtherEndorsers(world.channel, own_id=1)
    before = others()
    assert [peer.consenter_id for peer in before] == [2, 3, 4]
    world.follow()
    assert others() is before, "made once for a configuration"
    world.reconfigure(five(world))
    assert [peer.consenter_id for peer in others()] == [2, 3, 4, 5]


# -- what has no effect ---------------------------------------------------------------------------


def test_of_two_updates_of_one_value_the_second_has_no_effect(world: ConfigWorld) -> None:
    first, second = (
        world.ordered(
            world.update(replace(world.config, batch_limits=BatchLimits(max_transactions=count)))
        )
        for count in (7, 8)
    )
    assert world.follow(first).validation.codes == VALID
    committed = world.follow(second)
    assert committed.validation.codes == REFUSED
    assert world.channel.state.block_limits.transactions_max == 7
    assert world.committer.last_config == 1, "only a valid configuration counts"
    assert "CONFIG_OUTDATED" in committed.validation.details[0]


def test_the_same_transaction_again_is_a_duplicate(world: ConfigWorld) -> None:
    entry = world.ordered(world.update(five(world)))
    world.follow(entry)
    assert world.follow(entry, signers=(1, 2, 3, 4)).validation.codes == (
        ValidationCode.DUPLICATE_TXID,
    )


def test_too_few_signatures(world: ConfigWorld) -> None:
    update = world.update(five(world), world.admins[:2])
    with pytest.raises(InvalidMessage) as refused:
        world.ordered(update)
    assert refused.value.reason is Reason.POLICY_NOT_SATISFIED


def test_one_admin_who_signs_three_times_is_one(world: ConfigWorld) -> None:
    first, second = world.admins[:2]
    update = world.update(five(world), [first, first, first, second])
    with pytest.raises(InvalidMessage) as refused:
        world.ordered(update)
    assert refused.value.reason is Reason.POLICY_NOT_SATISFIED


def test_clients_and_strangers_cannot_approve(world: ConfigWorld) -> None:
    clients = [member.client for member in world.consortium.members]
    strangers = [m.admin for m in make_consortium(world.consortium.created).members]
    for signers in (clients, strangers):
        with pytest.raises(InvalidMessage) as refused:
            world.ordered(world.update(five(world), signers))
        assert refused.value.reason is Reason.POLICY_NOT_SATISFIED


def test_a_configuration_that_its_update_does_not_give(world: ConfigWorld) -> None:
    update = world.update(replace(world.config, block_interval_ms=9))
    smuggled = tree_of_config(five(world))
    smuggled.sequence = 1
    entry = config_transaction(
        smuggled, update, world.consortium.members[0].node, channel_id=CHANNEL_ID
    )
    refused = world.refusal(entry)
    assert refused is not None
    assert refused.reason is Reason.CONFIG_MISMATCH
    assert world.follow(entry).validation.codes == REFUSED
    assert world.tip.validators == (1, 2, 3, 4)


def test_only_a_validator_orders_a_configuration(world: ConfigWorld) -> None:
    entry = world.ordered(world.update(five(world)), validator=world.admins[0])
    refused = world.refusal(entry)
    assert refused is not None
    assert refused.reason is Reason.ROLE_NOT_ALLOWED
    assert world.follow(entry).validation.codes == REFUSED


def test_an_update_meant_for_another_channel(world: ConfigWorld) -> None:
    update = world.update(replace(five(world), channel_id="other"))
    with pytest.raises(InvalidMessage) as refused:
        world.ordered(update)
    assert refused.value.reason is Reason.WRONG_CHANNEL


def test_rules_count_although_every_admin_signed(world: ConfigWorld) -> None:
    three = world.with_consenters(*world.config.consenters[:-1], removed_consenter_id=4)
    with pytest.raises(InvalidMessage) as refused:
        world.ordered(world.update(three, world.admins))
    assert refused.value.reason is Reason.TOO_FEW_VALIDATORS


def test_nonsense_in_a_configuration_envelope(world: ConfigWorld) -> None:
    node = world.consortium.members[0].node
    for last_update in (b"", encode_envelope(b"\xff", b"s")):
        entry = config_transaction(world.tree, last_update, node, channel_id=CHANNEL_ID)
        refused = world.refusal(entry)
        assert refused is not None
        assert refused.reason is Reason.MALFORMED


# -- whose votes count at which height ------------------------------------------------------------


def verifier_of(world: ConfigWorld) -> ConsensusVerifier:
    state = world.channel.state
    verifier = ConsensusVerifier(state.validators, state.domain, first_height=1)
    world.channel.subscribe(
        lambda new: verifier.begin(new.config_block + 1, new.validators, new.domain)
    )
    return verifier


def test_votes_are_judged_by_the_set_of_their_height(world: ConfigWorld) -> None:
    verifier = verifier_of(world)
    old_vote = world.round_change(4, 1)
    world.reconfigure(five(world))
    new_vote = world.round_change(5, 1)
    verifier.check(old_vote)
    verifier.check(new_vote)
    early = replace(old_vote.signed, payload=replace(old_vote.signed.payload, height=2))
    with pytest.raises(InvalidMessage) as refused:
        verifier.check(replace(old_vote, signed=early))
    assert refused.value.reason is Reason.BAD_SIGNATURE, "signed under the set before"


def test_a_few_earlier_sets_are_remembered(world: ConfigWorld) -> None:
    verifier = verifier_of(world)
    first_vote = world.round_change(1, 1)
    for _ in range(EPOCHS_MAX):
        *others, last = world.config.consenters
        turned = replace(last, identity_pem=world.candidate(4, member_index=3).identity_pem)
        del world.keys[4]
        world.reconfigure(world.with_consenters(*others, turned))
    assert not verifier.knows(first_vote.signed.payload.height)
    assert verifier.knows(2)


def test_a_change_of_limits_alone_keeps_the_set(world: ConfigWorld) -> None:
    verifier = verifier_of(world)
    world.reconfigure(replace(world.config, block_interval_ms=9))
    verifier.check(world.round_change(4, 1))
    assert verifier.knows(1)

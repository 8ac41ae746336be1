"""Updates of a configuration tree: what a client computes, and what applying refuses."""

from dataclasses import replace

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.model.config import BatchLimits
from ledger.model.config_difference import compute_update
from ledger.model.config_tree import (
    CONFIG_DEPTH_MAX,
    CONFIG_ELEMENTS_MAX,
    KEY_CHARACTERS_MAX,
    apply_update,
    tree_of,
)
from ledger.wire import common_pb2
from tests.support.config_updates import tree_of_config
from tests.support.identities import CHANNEL_ID, consortium

ORDERER_ADMINS = "/Channel/Orderer/Admins"


def founding() -> common_pb2.Config:
    return tree_of_config(consortium().config)


def changed(**changes: object) -> common_pb2.Config:
    return tree_of_config(replace(consortium().config, **changes))


def smaller_blocks() -> common_pb2.Config:
    return changed(batch_limits=BatchLimits(max_transactions=7))


def update_to(
    updated: common_pb2.Config, original: common_pb2.Config | None = None
) -> common_pb2.ConfigUpdate:
    return compute_update(original or founding(), updated, channel_id=CHANNEL_ID)


def apply(
    update: common_pb2.ConfigUpdate, current: common_pb2.Config | None = None, check=None
) -> common_pb2.Config:
    return apply_update(
        current or founding(),
        update,
        channel_id=CHANNEL_ID,
        check_policy=check or (lambda path: None),
    )


def refusal(
    update: common_pb2.ConfigUpdate, current: common_pb2.Config | None = None, check=None
) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as refused:
        apply(update, current, check)
    return refused.value


def asked(update: common_pb2.ConfigUpdate) -> list[str]:
    paths: list[str] = []
    apply(update, check=paths.append)
    return paths


# -- computing and applying -----------------------------------------------------------------------


def test_a_changed_value_goes_up_one_version_and_nothing_else_moves():
    result = apply(update_to(smaller_blocks()))
    expected = smaller_blocks()
    expected.sequence = 1
    expected.channel_group.groups["Orderer"].values["BatchSize"].version = 1
    assert result == expected


def test_only_the_policies_of_what_changes_are_asked_and_each_once():
    assert asked(update_to(smaller_blocks())) == [ORDERER_ADMINS]
    both = changed(batch_limits=BatchLimits(max_transactions=7), block_interval_ms=9)
    assert asked(update_to(both)) == [ORDERER_ADMINS]


def test_a_removed_member_is_gone_and_its_group_counts_up():
    config = consortium().config
    fewer = changed(members=config.members[:-1])
    update = update_to(fewer)
    assert asked(update) == ["/Channel/Application/Admins", ORDERER_ADMINS]
    result = apply(update)
    assert set(result.channel_group.groups["Application"].groups) == {
        member.mspid for member in config.members[:-1]
    }
    assert result.channel_group.groups["Application"].version == 1
    assert result.channel_group.version == 0


def test_a_member_added_again_starts_at_version_zero():
    config = consortium().config
    without = apply(update_to(changed(members=config.members[:-1])))
    again = apply(update_to(founding(), without), without)
    group = again.channel_group.groups["Application"]
    assert group.version == 2
    assert group.groups[config.members[-1].mspid].version == 0
    assert again.sequence == 2


def test_one_update_after_the_other():
    first = apply(update_to(smaller_blocks()))
    second = apply(update_to(founding(), first), first)
    assert second.channel_group.groups["Orderer"].values["BatchSize"].version == 2
    assert second.sequence == 2


def test_a_policy_that_changes_is_guarded_by_the_one_in_force():
    policies = dict(consortium().config.policies)
    policies["/Channel/Readers"] = policies["/Channel/Writers"]
    assert asked(update_to(changed(policies=policies))) == ["/Channel/Admins"]


def test_who_may_change_a_group_is_looked_up_in_the_group_itself():
    updated = founding()
    updated.channel_group.groups["Orderer"].mod_policy = "/Channel/Admins"
    assert asked(update_to(updated)) == [ORDERER_ADMINS]
    result = apply(update_to(updated))
    assert asked_of(result, changed_group=updated) == ["/Channel/Admins"]


def asked_of(current: common_pb2.Config, changed_group: common_pb2.Config) -> list[str]:
    again = common_pb2.Config()
    again.CopyFrom(changed_group)
    again.channel_group.groups["Orderer"].mod_policy = "Admins"
    paths: list[str] = []
    update = compute_update(current, again, channel_id=CHANNEL_ID)
    apply_update(current, update, channel_id=CHANNEL_ID, check_policy=paths.append)
    return paths


def test_the_same_configuration_is_no_update():
    with pytest.raises(InvalidMessage) as refused:
        update_to(founding())
    assert refused.value.reason is Reason.CONFIG_UNCHANGED


# -- bad input ------------------------------------------------------------------------------------


def test_another_channel():
    update = update_to(smaller_blocks())
    update.channel_id = "other"
    assert refusal(update).reason is Reason.WRONG_CHANNEL


def test_an_update_made_on_an_older_version():
    update = update_to(smaller_blocks())
    later = apply(update)
    refused = refusal(update, later)
    assert refused.reason is Reason.CONFIG_OUTDATED
    assert refused.detail == (
        "attempt to set key [Value]  /Channel/Orderer/BatchSize to version 1, "
        "but key is at version 1"
    )


def test_a_read_set_of_another_version_or_of_something_unknown():
    config = consortium().config
    update = update_to(changed(members=config.members[:-1]))
    update.read_set.groups["Application"].version = 3
    update.write_set.groups["Application"].version = 4
    refused = refusal(update)
    assert refused.reason is Reason.CONFIG_OUTDATED
    assert "be at version 3, but it is currently at version 0" in refused.detail
    update.read_set.values["Nothing"].version = 0
    update.read_set.values["Nothing"].SetInParent()
    update.read_set.groups["Application"].version = 0
    assert "was in the read set" in refusal(update).detail


@pytest.mark.parametrize("version", [0, 2, 2**63])
def test_a_version_that_does_not_follow(version):
    update = update_to(smaller_blocks())
    update.write_set.groups["Orderer"].values["BatchSize"].version = version
    assert refusal(update).reason is Reason.CONFIG_OUTDATED


def test_something_new_with_a_version():
    update = update_to(smaller_blocks())
    update.write_set.groups["Orderer"].values["New"].version = 1
    update.write_set.groups["Orderer"].values["New"].mod_policy = "Admins"
    assert refusal(update).reason is Reason.CONFIG_OUTDATED


def test_something_new_in_a_group_that_does_not_count_up():
    update = update_to(smaller_blocks())
    update.write_set.groups["Orderer"].values["New"].mod_policy = "Admins"
    refused = refusal(update)
    assert refused.reason is Reason.MALFORMED
    assert "did not appear in proposed config" in refused.detail


def test_a_group_that_names_a_member_it_does_not_bring():
    update = update_to(changed(members=consortium().config.members[:-1]))
    update.write_set.groups["Application"].groups["Stranger"].version = 0
    update.write_set.groups["Application"].groups["Stranger"].values["MSP"].version = 0
    assert refusal(update).reason is Reason.UNKNOWN_POLICY


def test_an_element_nobody_may_change_afterwards():
    update = update_to(smaller_blocks())
    update.write_set.groups["Orderer"].values["BatchSize"].mod_policy = ""
    assert refusal(update).reason is Reason.UNKNOWN_POLICY


@pytest.mark.parametrize("mod_policy", ["Nobody", "/Channel/Nobody", "/", "../Admins"])
def test_an_element_whose_policy_does_not_exist(mod_policy):
    current = founding()
    current.channel_group.groups["Orderer"].values["BatchSize"].mod_policy = mod_policy
    refused = refusal(update_to(smaller_blocks(), current), current)
    assert refused.reason is Reason.UNKNOWN_POLICY
    assert "unexpected missing policy" in refused.detail


def test_signatures_that_are_not_enough():
    def check(path):
        raise InvalidMessage(Reason.POLICY_NOT_SATISFIED, "signed by nobody")

    refused = refusal(update_to(smaller_blocks()), check=check)
    assert refused.reason is Reason.POLICY_NOT_SATISFIED
    assert refused.detail == (
        "policy for [Value]  /Channel/Orderer/BatchSize not satisfied: signed by nobody"
    )


def test_an_empty_update():
    update = common_pb2.ConfigUpdate(channel_id=CHANNEL_ID)
    assert refusal(update).reason is Reason.CONFIG_UNCHANGED


@pytest.mark.parametrize("key", ["a/b", "", "a b", "ü", "k" * (KEY_CHARACTERS_MAX + 1)])
def test_a_key_that_is_no_name(key):
    update = update_to(smaller_blocks())
    update.write_set.values[key].mod_policy = "Admins"
    assert refusal(update).reason is Reason.MALFORMED


def nested(levels: int) -> common_pb2.ConfigGroup:
    root = group = common_pb2.ConfigGroup()
    for _ in range(levels - 1):
        group = group.groups["deeper"]
    group.SetInParent()
    return root


def test_a_tree_that_is_too_deep():
    assert len(tree_of(nested(CONFIG_DEPTH_MAX))) == CONFIG_DEPTH_MAX
    update = common_pb2.ConfigUpdate(channel_id=CHANNEL_ID, write_set=nested(45))
    assert refusal(update).reason is Reason.OVERSIZED


def test_a_tree_with_too_many_elements():
    update = common_pb2.ConfigUpdate(channel_id=CHANNEL_ID)
    for number in range(CONFIG_ELEMENTS_MAX):
        update.write_set.values[f"v{number}"].version = 0
    assert refusal(update).reason is Reason.OVERSIZED

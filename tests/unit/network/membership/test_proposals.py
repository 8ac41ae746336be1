"""Proposals: what they change, who must sign them, and files that cannot be trusted."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.model.config import BLOCK_VALIDATION_POLICY, block_validation_policy
from ledger.node.endorsing.endorsing_peers import client_addresses
from network.certificates.authority import MemberAuthority
from network.layout import NetworkLayout
from network.membership.proposals import (
    Proposal,
    ProposalError,
    find,
    load,
    pending,
    proposals_dir,
    propose,
    save,
    standing,
)
from network.membership.updates import (
    with_limits,
    with_member,
    with_replaced,
    with_revocations,
    with_validator,
    without_member,
    without_validator,
)
from tests.support.config_world import ConfigWorld
from tests.support.identities import make_consortium

MAJORITY = ["CoopMSP", "DsoMSP", "MunicipalityMSP", "UtilityMSP"]


@pytest.fixture(scope="module")
def world() -> ConfigWorld:
    return ConfigWorld()


@pytest.fixture
def draft(world: ConfigWorld) -> Proposal:
    updated = with_limits(world.config, max_transactions=7)
    return propose(world.channel.state, updated, "smaller blocks")


def judge(world: ConfigWorld, proposal: Proposal, monkeypatch: pytest.MonkeyPatch):
    at_s = world.consortium.created.timestamp() + 60
    monkeypatch.setattr("network.membership.proposals.time_ns", lambda: int(at_s * 1e9))
    return standing(proposal, world.channel.state, world.admins[0])


# -- who must sign --------------------------------------------------------------------------------


def test_three_of_four_members_must_sign(world, draft, monkeypatch):
    first, second, third, _ = world.admins
    now = judge(world, draft, monkeypatch)
    assert (now.result, now.signed, now.needed) == (None, (), 3)
    assert list(now.may_sign) == sorted(MAJORITY)
    two = draft.signed_by(first).signed_by(second)
    assert judge(world, two, monkeypatch).result is None
    three = judge(world, two.signed_by(third), monkeypatch)
    assert three.result is not None
    assert three.result.channel.batch_limits.max_transactions == 7
    assert len(three.signed) == 3


def test_one_member_counts_once_however_often_it_signs(world, draft, monkeypatch):
    first = world.admins[0]
    again = draft.signed_by(first).signed_by(first).signed_by(first)
    assert len(again.signatures) == 1
    assert judge(world, again, monkeypatch).signed == ("CoopMSP",)


def test_signatures_of_strangers_and_on_other_updates_do_not_count(world, draft, monkeypatch):
    stranger = make_consortium(world.consortium.created).members[1].admin
    other = propose(
        world.channel.state, with_limits(world.config, max_transactions=8), "other"
    ).signed_by(world.admins[2])
    mixed = replace(draft.signed_by(stranger), signatures=other.signatures)
    assert judge(world, draft.signed_by(stranger), monkeypatch).signed == ()
    assert judge(world, mixed, monkeypatch).signed == ()


def test_a_members_own_matter_needs_its_own_administrator_only(world, monkeypatch):
    authority = world.consortium.members[3].authority
    crl = authority.revoke([world.client.certificate_pem], now=world.consortium.created)
    proposal = propose(
        world.channel.state, with_revocations(world.config, "UtilityMSP", crl), "revoked"
    )
    now = judge(world, proposal, monkeypatch)
    assert (now.needed, now.may_sign) == (1, ("UtilityMSP",))
    assert judge(world, proposal.signed_by(world.admins[0]), monkeypatch).result is None
    assert judge(world, proposal.signed_by(world.admins[3]), monkeypatch).result is not None


def test_an_outdated_proposal_has_a_problem(draft, monkeypatch):
    world = ConfigWorld()
    world.reconfigure(with_limits(world.config, max_transactions=9))
    now = judge(world, draft, monkeypatch)
    assert "CONFIG_OUTDATED" in now.problem


# -- what changes ---------------------------------------------------------------------------------


def test_validators_come_and_go_with_the_block_policy(world):
    config = world.config
    five = with_validator(config, world.candidate(5))
    assert [one.consenter_id for one in five.consenters] == [1, 2, 3, 4, 5]
    four = without_validator(five, 5)
    assert four.removed_consenter_id == 5
    assert four.consenters == config.consenters
    for changed in (five, four):
        assert changed.policies[BLOCK_VALIDATION_POLICY] == block_validation_policy(
            changed.consenters
        )


def test_clients_are_told_where_each_validator_of_a_member_is(world):
    """Addresses follow the consenters' ids, and go with their validator."""
    config = world.config
    first = config.consenters[0]
    anchored = replace(
        config,
        members=tuple(
            replace(one, anchor_peers=(("first.example", 7051),))
            if one.mspid == first.mspid
            else one
            for one in config.members
        ),
    )
    second = replace(world.candidate(5), mspid=first.mspid)
    grown = with_validator(anchored, second, client_address=("second.example", 9051))
    assert client_addresses(grown)[1] == "first.example:7051"
    assert client_addresses(grown)[5] == "second.example:9051"
    assert client_addresses(without_validator(grown, 1))[5] == "second.example:9051"
    assert client_addresses(without_validator(grown, 5)) == {1: "first.example:7051"}


def test_a_member_brings_its_policies_and_takes_them_along(world):
    authority = MemberAuthority.create("SchoolMSP", "School", now=world.consortium.created)
    five = with_member(world.config, authority.member_config())
    assert "/Channel/Application/SchoolMSP/Endorsement" in five.policies
    assert [one.mspid for one in five.members] == sorted([*MAJORITY, "SchoolMSP"])
    assert without_member(five, "SchoolMSP") == world.config


def test_what_is_not_given_stays(world):
    limits = with_limits(world.config, max_bytes=100_000)
    assert limits.batch_limits.max_bytes == 100_000
    assert limits.batch_limits.max_transactions == world.config.batch_limits.max_transactions
    assert limits.block_interval_ms == world.config.block_interval_ms


def test_changes_of_what_is_not_there(world):
    config = world.config
    known = config.consenters[0]
    for act, reason in (
        (lambda: without_validator(config, 9), Reason.NOT_A_VALIDATOR),
        (lambda: with_replaced(config, replace(known, consenter_id=9)), Reason.NOT_A_VALIDATOR),
        (lambda: with_validator(config, known), Reason.MALFORMED),
        (lambda: with_member(config, config.members[0]), Reason.MALFORMED),
        (lambda: with_revocations(config, "NobodyMSP", b""), Reason.MALFORMED),
    ):
        with pytest.raises(InvalidMessage) as refused:
            act()
        assert refused.value.reason is reason


# -- files ----------------------------------------------------------------------------------------


def test_a_proposal_is_read_back_as_it_was_written(world, draft, tmp_path):
    signed = draft.signed_by(world.admins[0]).signed_by(world.admins[1])
    path = tmp_path / "deep" / "p.json"
    save(signed, path)
    assert load(path) == signed
    assert path.stat().st_mode & 0o077 == 0


def test_a_proposal_whose_update_was_altered(world, draft, tmp_path):
    path = tmp_path / "p.json"
    save(draft, path)
    content = json.loads(path.read_text())
    content["update"] = "CgVvdGhlcg=="
    path.write_text(json.dumps(content))
    with pytest.raises(ProposalError, match="was altered"):
        load(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"id": "1", "title": "t", "sequence": 0, "update": "!!", "signatures": []}',
        '{"id": "1", "title": "t", "sequence": 0, "update": "/w==", "signatures": []}',
        '{"id": "1", "title": "t", "sequence": "x", "update": "", "signatures": []}',
        (
            '{"id": "1", "title": "t", "sequence": 0, "update": "", '
            '"signatures": [{"header": "/w==", "signature": ""}]}'
        ),
    ],
)
def test_a_file_that_is_no_proposal(tmp_path, content):
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(ProposalError, match="is no proposal"):
        load(path)


def test_proposals_are_found_by_id_and_by_file(draft, tmp_path):
    layout = NetworkLayout(tmp_path)
    assert pending(layout) == []
    path = proposals_dir(layout) / f"{draft.id}.json"
    save(draft, path)
    assert pending(layout) == [path]
    assert find(layout, draft.id) == path
    assert find(layout, str(path)) == path
    with pytest.raises(ProposalError, match="there is no proposal"):
        find(layout, "0" * 8)
    with pytest.raises(ProposalError, match="cannot read"):
        load(find(layout, str(Path("nowhere"))))

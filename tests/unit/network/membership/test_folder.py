"""A member's folder: joining, renewing with the same key, rotating to a new one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.crypto.certificates import load_x509, parse_certificate
from ledger.errors import InvalidMessage
from ledger.model.codec_block import decode_block
from ledger.model.config_codec import decode_config_block
from ledger.node.membership.credentials import next_file
from network.certificates.authority import MemberAuthority
from network.certificates.credentials import member_authority
from network.founding.creation import create_network
from network.layout import NetworkLayout, exposed_keys
from network.membership.certificate_inventory import (
    config_certificates,
    days_left,
    expiring,
    folder_certificates,
)
from network.membership.folder import (
    finish_rotation,
    joining_member,
    prepare_member,
    prepare_next_keys,
    present_consenter,
    renew,
)
from network.plan import Plan, default_plan_text, load_plan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=700)
FIFTH = """
[[members]]
id = "school"
mspid = "SchoolMSP"
port = 7999
validator_port = 8999
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, NetworkLayout]:
    folder = tmp_path_factory.mktemp("network")
    text = default_plan_text()
    path = folder / "network.toml"
    path.write_text(text)
    layout = create_network(load_plan(path), text, now=NOW)
    path.write_text(text + FIFTH)
    return load_plan(path), layout


def key_of(path: Path) -> bytes:
    return parse_certificate(path.read_bytes()).public_key_der


def test_a_joining_member_gets_keys_an_empty_ledger_and_is_trusted_by_clients(network):
    plan, layout = network
    member = plan.member("school")
    assert prepare_member(plan, member, layout, now=NOW)
    assert not prepare_member(plan, member, layout, now=NOW), "nothing is overwritten"
    joining = joining_member(plan, member, layout)
    assert joining.mspid == "SchoolMSP"
    assert joining.tls_root_certs[0] in layout.tls_ca_bundle.read_bytes()
    folder = layout.member("school")
    assert (folder.ledger_dir / "journal").exists()
    assert folder.peer_config.exists()
    assert exposed_keys(layout) == []
    consenter = present_consenter(member, layout, 5)
    assert (consenter.consenter_id, consenter.mspid, consenter.port) == (5, "SchoolMSP", 8999)


@pytest.mark.parametrize("name", ["peer", "peer-tls", "admin"])
def test_a_renewed_certificate_has_the_same_key_subject_and_names(network, name):
    plan, layout = network
    member = plan.members[0]
    place = layout.member(member.id).credential(name).certificate
    before, key = load_x509(place.read_bytes()), key_of(place)
    renew(plan, member, layout, name, now=LATER)
    after = load_x509(place.read_bytes())
    assert key_of(place) == key
    assert after.subject == before.subject
    assert after.not_valid_after_utc > before.not_valid_after_utc
    assert after.serial_number != before.serial_number
    kinds = [sorted(e.oid.dotted_string for e in one.extensions) for one in (before, after)]
    assert kinds[0] == kinds[1]


def test_only_the_authority_that_issued_a_certificate_renews_it(network):
    plan, layout = network
    pem = layout.member("dso").credential("peer").certificate.read_bytes()
    stranger = MemberAuthority.create("StrangerMSP", "Somebody", now=NOW)
    with pytest.raises(InvalidMessage, match="was not issued by"):
        stranger.renew(pem, now=LATER)
    assert member_authority(plan, "dso", layout).renew(pem, now=LATER)


def test_next_keys_take_over_only_when_the_channel_names_them(network):
    plan, layout = network
    member = plan.member("utility")
    folder = layout.member("utility")
    peer, tls = folder.credential("peer"), folder.credential("peer-tls")
    old = key_of(peer.certificate)
    genesis = decode_config_block(decode_block(layout.genesis_block.read_bytes()))
    prepare_next_keys(plan, member, layout, now=NOW)
    wanted = present_consenter(member, layout, member.consenter_id)
    assert parse_certificate(wanted.identity_pem).public_key_der != old
    assert not finish_rotation(member, layout, genesis)
    assert key_of(peer.certificate) == old
    *others, last = genesis.consenters
    assert last.mspid == "UtilityMSP"
    rotated = replace(genesis, consenters=(*others, wanted))
    assert finish_rotation(member, layout, rotated)
    assert peer.certificate.read_bytes() == wanted.identity_pem
    assert tls.certificate.read_bytes() == wanted.server_tls_cert
    assert not next_file(peer.certificate).exists()
    assert not next_file(tls.key).exists()
    assert exposed_keys(layout) == []
    assert not finish_rotation(member, layout, rotated)


def test_every_certificate_is_counted_and_those_that_end_soon_are_named(network):
    plan, layout = network
    held = {(one.member, one.name) for one in folder_certificates(plan, layout)}
    for member in plan.members[:4]:
        assert {(member.id, n) for n in ("ca", "tlsca", "peer", "peer-tls", "admin")} <= held
    genesis = decode_config_block(decode_block(layout.genesis_block.read_bytes()))
    named = [(one.member, one.name) for one in config_certificates(genesis)]
    assert ("DsoMSP", "validator 3 tls") in named
    assert len(named) == 4 * 4
    [first, *_] = [one for one in config_certificates(genesis) if one.name == "validator 3"]
    assert days_left(first, NOW) == 825
    assert days_left(first, NOW + timedelta(days=826)) == -1
    soon = list(expiring(plan, layout))
    assert all("gridledger cert rotate" in line for line in soon)

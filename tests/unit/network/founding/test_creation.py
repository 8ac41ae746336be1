"""A network from a plan: keys, settings and a genesis block that the ledger reads."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from ledger.crypto.msp import MspRegistry
from ledger.model.codec_block import decode_block
from ledger.model.config_codec import decode_config_block
from ledger.model.policy import Role
from ledger.node.endorsing.endorsing_peers import client_addresses
from ledger.node.settings.config import load_config
from network.certificates.credentials import member_authority
from network.founding.creation import CreationError, create_network
from network.layout import NetworkLayout, exposed_keys
from network.plan import Plan, default_plan_text, load_plan
from network.running.lifecycle import LifecycleError, down, require_network, reset, status, up

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "network.toml"
    path.write_text(default_plan_text(name="test-net"), encoding="utf-8")
    return load_plan(path)


@pytest.fixture
def layout(plan: Plan) -> NetworkLayout:
    return create_network(plan, default_plan_text(name="test-net"), now=NOW)


def test_the_genesis_block_names_the_plans_members_and_limits(
    plan: Plan, layout: NetworkLayout
) -> None:
    config = decode_config_block(decode_block(layout.genesis_block.read_bytes()))
    assert config.channel_id == "energy"
    assert config.network_id == "test-net"
    assert {member.mspid for member in config.members} == {m.mspid for m in plan.members}
    assert [(c.consenter_id, c.host, c.port) for c in config.consenters] == [
        (m.consenter_id, m.host, m.validator_port) for m in plan.members
    ]
    assert config.batch_limits.max_transactions == 500
    assert config.block_interval_ms == 5_000


def test_every_peer_can_read_its_settings_and_files(plan: Plan, layout: NetworkLayout) -> None:
    for member in plan.members:
        config = load_config(layout.member(member.id).peer_config)
        assert config.mspid == member.mspid
        assert config.listen == member.address
        files = (
            config.tls_certificate,
            config.tls_key,
            config.tls_ca_bundle,
            config.identity_certificate,
            config.identity_key,
            config.genesis,
        )
        assert [path for path in files if not path.is_file()] == []
        assert len(config.validators) == 4


def test_a_member_may_have_several_peers(tmp_path: Path) -> None:
    text = (
        default_plan_text(name="test-net")
        + """
[[members.peers]]
id = "utility-second"
port = 9051
validator_port = 9061
external_host = "second.example"
"""
    )
    path = tmp_path / "network.toml"
    path.write_text(text, encoding="utf-8")
    plan = load_plan(path)
    layout = create_network(plan, text, now=NOW)
    config = decode_config_block(decode_block(layout.genesis_block.read_bytes()))
    assert [one.mspid for one in config.consenters].count("UtilityMSP") == 2
    assert client_addresses(config)[5] == "second.example:9051"
    folder = layout.member("utility-second")
    assert load_config(folder.peer_config).mspid == "UtilityMSP"
    assert not folder.authority.key.exists()
    assert not folder.credential("admin").key.exists()
    tls = x509.load_pem_x509_certificate(folder.credential("peer-tls").certificate.read_bytes())
    names = tls.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "second.example" in names.get_values_for_type(x509.DNSName)


def test_a_network_can_be_moved(layout: NetworkLayout, tmp_path: Path) -> None:
    moved = NetworkLayout(layout.root.rename(tmp_path / "elsewhere"))
    assert load_config(moved.member("dso").peer_config).genesis.is_file()
    settings = json.loads(moved.member("dso").peer_config.read_text())
    assert str(tmp_path) not in json.dumps(settings)


def test_keys_are_private_and_folders_closed(layout: NetworkLayout) -> None:
    keys = list(layout.root.rglob("*.key"))
    assert len(keys) == 4 * 5
    assert exposed_keys(layout) == []
    assert stat.S_IMODE(layout.member("dso").root.stat().st_mode) == 0o700


def test_issued_people_are_recognised_by_the_channel(plan: Plan, layout: NetworkLayout) -> None:
    registry = MspRegistry(decode_config_block(decode_block(layout.genesis_block.read_bytes())))
    authority = member_authority(plan, "cooperative", layout)
    pair = authority.issue_client("household-7", {"idgrid": "CL-0007"}, now=NOW)
    identity = registry.identity(authority.signing_identity(pair).serialized)
    assert identity.mspid == "CooperativeMSP"
    assert identity.role is Role.CLIENT
    assert identity.attributes == {"idgrid": "CL-0007"}


def test_certificates_last_as_long_as_the_plan_says(layout: NetworkLayout) -> None:
    pem = layout.member("dso").credential("peer").certificate.read_bytes()
    end = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    assert end == NOW + timedelta(days=825)


def test_a_network_is_never_overwritten(plan: Plan, layout: NetworkLayout) -> None:
    before = layout.genesis_block.read_bytes()
    with pytest.raises(CreationError, match="never overwritten"):
        create_network(plan, "", now=NOW)
    assert layout.genesis_block.read_bytes() == before


def test_what_an_interrupted_run_left_does_not_hinder(plan: Plan) -> None:
    leftovers = plan.data_dir.with_name(plan.data_dir.name + ".unfinished") / "members"
    leftovers.mkdir(parents=True)
    create_network(plan, default_plan_text(), now=NOW)
    assert not leftovers.exists()


def test_reset_deletes_only_when_told_and_only_a_network(
    plan: Plan, layout: NetworkLayout
) -> None:
    with pytest.raises(LifecycleError, match="--yes-delete-data"):
        reset(plan, delete_data=False)
    assert layout.genesis_block.exists()
    assert reset(plan, delete_data=True)
    assert not layout.root.exists()
    assert not reset(plan, delete_data=True)


def test_reset_leaves_a_strange_folder_alone(plan: Plan) -> None:
    plan.data_dir.mkdir()
    (plan.data_dir / "diary.txt").write_text("mine")
    with pytest.raises(LifecycleError, match="was not made by"):
        reset(plan, delete_data=True)
    assert (plan.data_dir / "diary.txt").exists()


def test_a_network_that_is_not_there_says_what_to_do(plan: Plan) -> None:
    with pytest.raises(LifecycleError, match="gridledger network init"):
        up(plan)


def test_open_keys_keep_the_network_down(plan: Plan, layout: NetworkLayout) -> None:
    layout.member("dso").credential("peer").key.chmod(0o644)
    with pytest.raises(LifecycleError, match="chmod 600"):
        up(plan)


def test_another_channel_is_another_network(
    plan: Plan, layout: NetworkLayout, tmp_path: Path
) -> None:
    path = tmp_path / "network.toml"
    path.write_text(path.read_text().replace('channel = "energy"', 'channel = "water"'))
    with pytest.raises(LifecycleError, match="another name, channel or members"):
        require_network(load_plan(path))


def test_nothing_runs_before_up(plan: Plan, layout: NetworkLayout) -> None:
    assert [(row.pid, row.listening, row.resident_bytes) for row in status(plan)] == [
        (None, False, 0)
    ] * 4
    assert down(plan) == []

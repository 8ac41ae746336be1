"""A node's keys on disk: which are in force, what is taken up without a restart."""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.crypto.certificates import load_x509, milliseconds, parse_certificate
from ledger.errors import NodeFault
from ledger.node.membership.certificate_watch import DAY_MS, CertificateWatch
from ledger.node.membership.credentials import Credentials, SignerInForce, next_file
from ledger.node.settings.config import NodeConfig
from network.certificates.authority import KeyPair
from tests.support.config_world import ConfigWorld

LAST = 4


@dataclass
class Folder:
    """The credentials of validator 4."""

    root: Path

    def config(self, consenter_id: int = LAST) -> NodeConfig:
        return NodeConfig(
            member="utility",
            mspid="UtilityMSP",
            consenter_id=consenter_id,
            channel_id="energy",
            listen="",
            validator_listen="",
            tls_certificate=self.root / "tls.crt",
            tls_key=self.root / "tls.key",
            tls_ca_bundle=self.root / "bundle.pem",
            identity_certificate=self.root / "node.crt",
            identity_key=self.root / "node.key",
            genesis=self.root / "genesis",
            data_dir=self.root,
            packages_dir=self.root / "packages",
            validators=(),
        )

    def write(self, name: str, pair: KeyPair) -> None:
        (self.root / f"{name}.crt").write_bytes(pair.certificate_pem)
        key = self.root / f"{name}.key"
        key.touch(mode=0o600)
        key.write_bytes(pair.key_pem)


@pytest.fixture
def world() -> ConfigWorld:
    return ConfigWorld()


@pytest.fixture
def folder(tmp_path: Path, world: ConfigWorld) -> Folder:
    made = Folder(tmp_path)
    member = world.consortium.members[LAST - 1]
    made.write("node", member.node_keys)
    made.write("tls", member.tls)
    (tmp_path / "bundle.pem").write_bytes(member.authority.tls.certificate_pem)
    return made


def new_pair(world: ConfigWorld) -> KeyPair:
    return world.consortium.members[LAST - 1].authority.issue_node(
        "peer", now=world.consortium.created
    )


def rotate(world: ConfigWorld, pair: KeyPair) -> None:
    *others, last = world.config.consenters
    rotated = replace(last, identity_pem=pair.certificate_pem)
    world.reconfigure(world.with_consenters(*others, rotated))


def test_a_validator_calls_with_a_certificate_of_its_own_and_an_observer_its_members(
    folder, world
):
    validator = Credentials(folder.config(), world.channel).now
    observer = Credentials(folder.config(consenter_id=9), world.channel).now
    member_pem = (folder.root / "tls.crt").read_bytes()
    assert validator.is_validator
    assert not observer.is_validator
    assert observer.link_certificate_pem == member_pem
    assert observer.validator_tls.certificate_pem != member_pem, (
        "the others may know it as a validator already, and then by its key alone"
    )
    assert validator.link_certificate_pem == validator.validator_tls.certificate_pem
    assert validator.validator_tls.certificate_pem != member_pem
    assert validator.client_tls.certificate_pem == member_pem, "clients know authorities, not keys"
    keys = {
        parse_certificate(pem).public_key_der
        for pem in (member_pem, validator.validator_tls.certificate_pem)
    }
    assert len(keys) == 1


def test_the_next_key_takes_over_when_the_channel_names_it(folder, world):
    credentials = Credentials(folder.config(), world.channel)
    signer = SignerInForce(credentials)
    before, pair = credentials.now, new_pair(world)
    folder.write("node-next", pair)
    assert credentials.reload_changed_files()
    assert credentials.identity.serialized == before.identity.serialized, "not yet"
    rotate(world, pair)
    assert credentials.identity.certificate_pem == pair.certificate_pem
    assert signer.public_key == parse_certificate(pair.certificate_pem).public_key
    assert credentials.now.validator_tls == replace(
        before.validator_tls, ca_bundle_pem=credentials.now.validator_tls.ca_bundle_pem
    ), "links that need no change keep what they present"
    again = Credentials(folder.config(), world.channel)
    assert again.identity.certificate_pem == pair.certificate_pem


def test_a_key_that_the_channel_gave_up_stops_the_node(folder, world):
    credentials = Credentials(folder.config(), world.channel)
    with pytest.raises(NodeFault, match="another key than that of consenter 4"):
        rotate(world, new_pair(world))
    with pytest.raises(NodeFault, match="consenter 4"):
        Credentials(folder.config(), world.channel)
    assert credentials.now.is_validator


def test_files_that_change_are_taken_up_and_wrong_ones_are_not(folder, world, caplog):
    credentials = Credentials(folder.config(), world.channel)
    assert not credentials.reload_changed_files()
    place = folder.root / "node.crt"
    later = world.consortium.created + timedelta(days=1)
    authority = world.consortium.members[LAST - 1].authority
    renewed = authority.renew(place.read_bytes(), now=later)
    place.write_bytes(renewed)
    assert credentials.reload_changed_files()
    assert credentials.identity.certificate_pem == renewed
    place.write_bytes(b"nonsense")
    with caplog.at_level(logging.WARNING):
        assert not credentials.reload_changed_files()
    assert "not used" in caplog.text
    assert credentials.identity.certificate_pem == renewed


def test_a_file_in_disorder_does_not_matter_while_the_key_stays(folder, world):
    credentials = Credentials(folder.config(), world.channel)
    before = credentials.identity
    (folder.root / "node.crt").write_bytes(b"half a fi")
    world.reconfigure(replace(world.config, block_interval_ms=9))
    assert credentials.identity.certificate_pem == before.certificate_pem
    with pytest.raises(NodeFault, match="cannot be read"):
        Credentials(folder.config(), world.channel)


def test_half_a_replacement_is_bridged_by_the_pair_beside_it(folder, world):
    pair = new_pair(world)
    folder.write("node-next", pair)
    rotate(world, pair)
    (folder.root / "node.key").write_bytes(pair.key_pem)  # and then it crashed
    credentials = Credentials(folder.config(), world.channel)
    assert credentials.identity.certificate_pem == pair.certificate_pem
    next_file(folder.root / "node.crt").unlink()
    with pytest.raises(NodeFault, match="is not of the key"):
        Credentials(folder.config(), world.channel)


def test_a_key_that_others_may_read(folder, world):
    (folder.root / "node.key").chmod(0o644)
    with pytest.raises(NodeFault, match="chmod 600"):
        Credentials(folder.config(), world.channel)


# -- the calendar ---------------------------------------------------------------------------------


class Calendar:
    def __init__(self, folder: Folder, world: ConfigWorld) -> None:
        self.days = 0
        self.begin_ms = int(world.consortium.created.timestamp() * 1000)
        self.reloads = 0
        self.watch = CertificateWatch(
            credentials=Credentials(folder.config(), world.channel),
            channel=world.channel,
            clock_ms=lambda: self.begin_ms + self.days * DAY_MS,
            on_reloaded=self._count,
        )

    def _count(self) -> None:
        self.reloads += 1

    def warnings(self, caplog: pytest.LogCaptureFixture, days: int) -> list[str]:
        caplog.clear()
        self.days = days
        with caplog.at_level(logging.WARNING):
            self.watch.look()
        return [r.message for r in caplog.records if r.message.startswith("this peer's identity")]


def test_warnings_come_at_30_7_and_1_days_and_at_the_end_each_once(folder, world, caplog):
    calendar = Calendar(folder, world)
    assert calendar.warnings(caplog, 825 - 31) == []
    for left in (30, 7, 1):
        days = 825 - left
        [line] = calendar.warnings(caplog, days + 1)
        assert f"expires in {left - 1} days" in line
        assert calendar.warnings(caplog, days + 1) == []
    [line] = calendar.warnings(caplog, 826)
    assert "has expired" in line


def test_a_warning_comes_when_less_than_the_limit_is_left_and_not_at_the_limit(
    folder, world, caplog
):
    calendar = Calendar(folder, world)
    ends_ms = milliseconds(load_x509((folder.root / "node.crt").read_bytes()).not_valid_after_utc)

    def with_left(left_ms: int) -> list[str]:
        calendar.begin_ms = ends_ms - left_ms
        return calendar.warnings(caplog, 0)

    for days in (30, 7, 1):
        assert with_left(days * DAY_MS + 1) == []
        assert with_left(days * DAY_MS) == [], "exactly so many are not fewer"
        [line] = with_left(days * DAY_MS - 1)
        assert f"expires in {days - 1} days" in line
    assert with_left(0) == [], "it is good at its last moment"
    [line] = with_left(-1)
    assert "has expired" in line


def test_certificates_of_the_others_are_watched_too(folder, world, caplog):
    calendar = Calendar(folder, world)
    calendar.warnings(caplog, 825 - 5)
    text = caplog.text
    assert "validator 1 (CoopMSP) in the channel" in text
    assert "an authority of" not in text, "authorities live ten years"


def test_a_renewed_file_refreshes_what_depends_on_it(folder, world, caplog):
    calendar = Calendar(folder, world)
    assert len(calendar.warnings(caplog, 820)) == 1
    place = folder.root / "node.crt"
    authority = world.consortium.members[LAST - 1].authority
    later = world.consortium.created + timedelta(days=820)
    place.write_bytes(authority.renew(place.read_bytes(), now=later))
    assert calendar.warnings(caplog, 820) == []
    assert calendar.reloads == 1

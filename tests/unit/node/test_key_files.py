"""Keys on disk: only what nobody else can read is used."""

import pytest

from ledger.errors import NodeFault
from ledger.node.key_files import (
    KEY_BYTES_MAX,
    load_signer,
    load_signing_identity,
    read_private_file,
)
from tests.support.identities import consortium


@pytest.fixture
def files(tmp_path):
    member = consortium().members[0]
    certificate, key = tmp_path / "peer.crt", tmp_path / "peer.key"
    certificate.write_bytes(member.node_keys.certificate_pem)
    key.touch(mode=0o600)
    key.write_bytes(member.node_keys.key_pem)
    return certificate, key


def test_an_identity_is_read_from_its_two_files(files):
    member = consortium().members[0]
    identity = load_signing_identity(member.mspid, *files)
    assert identity.serialized == member.node.serialized


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_key_others_may_touch_is_refused_by_name(files, mode):
    _, key = files
    key.chmod(mode)
    with pytest.raises(NodeFault, match=f"chmod 600 {key}"):
        load_signer(key)


def test_a_key_of_another_certificate_is_refused_by_name(files, tmp_path):
    certificate, key = files
    certificate.write_bytes(consortium().members[1].node_keys.certificate_pem)
    with pytest.raises(NodeFault, match=f"{key} is not the key of {certificate}"):
        load_signing_identity("CoopMSP", certificate, key)


def test_missing_broken_and_huge_files_are_refused_by_name(files):
    certificate, key = files
    with pytest.raises(NodeFault, match=r"missing\.key: No such file"):
        load_signer(key.with_name("missing.key"))
    with pytest.raises(NodeFault, match=r"missing\.crt: No such file"):
        load_signing_identity("CoopMSP", certificate.with_name("missing.crt"), key)
    certificate.write_bytes(b"not a certificate")
    with pytest.raises(NodeFault, match=f"{certificate}: not a certificate"):
        load_signing_identity("CoopMSP", certificate, key)
    key.write_bytes(b"not a key")
    with pytest.raises(NodeFault, match=f"{key}: signing key cannot be read"):
        load_signer(key)
    key.write_bytes(bytes(KEY_BYTES_MAX + 1))
    with pytest.raises(NodeFault, match="no key is"):
        read_private_file(key)

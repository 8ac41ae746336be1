"""Keys on disk: only what nobody else can read is used."""

import pytest

from ledger.crypto.signing import Signer
from ledger.errors import NodeFault
from ledger.node.settings.key_files import read_private_key
from tests.support.identities import consortium


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "peer.key"
    path.touch(mode=0o600)
    path.write_bytes(consortium().members[0].node_keys.key_pem)
    return path


def test_a_private_key_is_read(key):
    assert Signer(read_private_key(key)).public_key == (
        consortium().members[0].node.signer.public_key
    )


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_key_others_may_touch_is_refused_by_name(key, mode):
    key.chmod(mode)
    with pytest.raises(NodeFault, match=f"chmod 600 {key}"):
        read_private_key(key)

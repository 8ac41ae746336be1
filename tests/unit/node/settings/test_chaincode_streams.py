"""The operator's settings for chaincodes that dial in, and the runtimes they become."""

import json
from datetime import UTC, datetime

import pytest

from ledger.endorsement.limits import StreamLimits
from ledger.errors import NodeFault
from ledger.node.chaincodes.dial_in import DialIn
from ledger.node.settings.chaincode_streams import (
    STREAM_SETTINGS_FILE,
    StreamSettings,
    read_stream_settings,
)
from ledger.rpc.chaincode_support import AllowedChaincode, certificate_fingerprint
from network.certificates.authority import MemberAuthority


@pytest.fixture(scope="module")
def authority():
    return MemberAuthority.create("CoopMSP", "Coop", now=datetime.now(UTC))


@pytest.fixture
def folder(tmp_path, authority):
    keys = authority.issue_tls("contract", now=datetime.now(UTC))
    (tmp_path / "contract.pem").write_bytes(keys.certificate_pem)
    (tmp_path / "ca.pem").write_bytes(authority.tls.certificate_pem)
    return tmp_path


def read(folder, settings):
    text = settings if isinstance(settings, str) else json.dumps(settings)
    (folder / STREAM_SETTINGS_FILE).write_text(text)
    return read_stream_settings(folder / STREAM_SETTINGS_FILE)


ALLOWED = {"id": "basic:1.0", "certificate": "contract.pem"}


def test_without_a_file_nobody_may_dial_in(folder):
    assert read_stream_settings(folder / STREAM_SETTINGS_FILE) == StreamSettings()
    assert read(folder, {}) == StreamSettings()


def test_a_whole_file(folder):
    found = read(
        folder,
        {
            "listen": "127.0.0.1:7052",
            "client_ca": "ca.pem",
            "allowed": [ALLOWED],
            "limits": {"in_flight_max": 1, "keepalive_ms": 60_000},
        },
    )
    assert found.listen == "127.0.0.1:7052"
    assert found.client_ca_pem == (folder / "ca.pem").read_bytes()
    fingerprint = certificate_fingerprint((folder / "contract.pem").read_bytes())
    assert found.allowed == (AllowedChaincode("basic:1.0", fingerprint),)
    assert found.limits == StreamLimits(in_flight_max=1, keepalive_ms=60_000)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("{", "wrong setting"),
        ("[" * 10_000, "wrong setting"),
        ("[]", "wrong setting"),
        ({"listn": "x"}, "there is no setting 'listn'"),
        ({"listen": "127.0.0.1:7052"}, "client_ca"),
        ({"listen": "127.0.0.1:7052", "client_ca": "gone.pem"}, "gone.pem"),
        ({"allowed": [{"id": "basic:1.0"}]}, "certificate"),
        ({"allowed": [{**ALLOWED, "certificate": "gone.pem"}]}, "gone.pem"),
        ({"allowed": [{**ALLOWED, "certificate": STREAM_SETTINGS_FILE}]}, "CERTIFICATE_INVALID"),
        ({"allowed": [ALLOWED, ALLOWED]}, "allowed twice"),
        ({"allowed": ["basic:1.0"]}, "wrong setting"),
        ({"limits": {"in_flight_max": "1"}}, "limit in_flight_max is no whole number"),
        ({"limits": {"in_flight_max": -1}}, "limit in_flight_max is no whole number"),
        ({"limits": {"speed": 1}}, "speed"),
        (" " * 2_000_000, "larger than"),
    ],
)
def test_a_wrong_setting_is_named(folder, settings, text):
    with pytest.raises(NodeFault) as fault:
        read(folder, settings)
    assert STREAM_SETTINGS_FILE in str(fault.value)
    assert text in str(fault.value)


async def _nobody(_transaction, _call):
    raise AssertionError


def test_a_door_is_one_chaincodes(folder):
    dial_in = DialIn(read(folder, {"allowed": [ALLOWED]}))
    runtime = dial_in.runtime("basic:1.0", "basic", _nobody)
    assert runtime is not None
    assert dial_in.runtime("basic:1.0", "basic", _nobody) is runtime
    assert dial_in.runtime("basic:1.0", "other", _nobody) is None
    assert dial_in.runtime("other:1.0", "other", _nobody) is None

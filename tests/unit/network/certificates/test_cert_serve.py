"""The authority behind a socket certifies participants, and nobody and nothing else."""

import json
import socket
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import Problem, RequestRefused
from gateway.identity.issuing import SocketIssuer
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.signing import generate_key
from network.certificates.authority import MemberAuthority
from network.certificates.serve import QUESTION_BYTES_MAX, AuthorityServer, answer
from tests.support.signing_requests import fingerprint, signing_request

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUTHORITY = MemberAuthority.create("CooperativeMSP", "Energy cooperative", now=NOW)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "authority.sock"
    with AuthorityServer(path, AUTHORITY, lambda: NOW) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def test_a_participant_s_key_is_certified_under_its_idgrid(listening: Path) -> None:
    key = generate_key()
    certified = SocketIssuer(listening).certify(
        idgrid="VAL-0001-0", role="prosumer", request_pem=signing_request(key, "CN=admin")
    )
    certificate = parse_certificate(certified.certificate_pem.encode())
    assert certified.mspid == "CooperativeMSP"
    assert certificate.attributes == {"idgrid": "VAL-0001-0", "role": "prosumer"}
    assert certificate.organizational_units == ("client",)
    assert "CN=VAL-0001-0" in certificate.subject
    assert fingerprint(key) != fingerprint(generate_key())
    assert certificate.public_key == key.public_key()
    assert stat.S_IMODE(listening.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("idgrid", "role"),
    [
        ("VAL-0001-0", "community_manager"),
        ("VAL-0001-0", "dso"),
        ("VAL-0001-0", "admin"),
        ("VAL-0001-0", ""),
        ("../admin", "prosumer"),
        ("", "prosumer"),
    ],
)
def test_nobody_else_is_certified(listening: Path, idgrid: str, role: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        SocketIssuer(listening).certify(idgrid=idgrid, role=role, request_pem=signing_request())
    assert refused.value.problem is Problem.REJECTED


@pytest.mark.parametrize(
    "question",
    [
        b"",
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"idgrid": "VAL-0001-0", "role": "prosumer", "request_pem": "no request"}\n',
        b"[" * 5000,
        b"x" * QUESTION_BYTES_MAX,
    ],
)
def test_what_is_no_question_is_refused(question: bytes) -> None:
    assert set(answer(AUTHORITY, question, lambda: NOW)) == {"refused"}


def test_an_endless_question_is_cut_off(listening: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(listening))
        connection.sendall(b"x" * QUESTION_BYTES_MAX)
        assert json.loads(connection.makefile("rb").readline()) == {"refused": "not a question"}


def test_without_the_authority_the_gateway_says_so(tmp_path: Path) -> None:
    with pytest.raises(RequestRefused) as refused:
        SocketIssuer(tmp_path / "nobody").certify(idgrid="A-1-1", role="prosumer", request_pem="")
    assert refused.value.problem is Problem.ISSUER_UNAVAILABLE

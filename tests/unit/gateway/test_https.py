"""HTTPS off this machine: an authority that vouches for the gateway only, and the trust page."""

import asyncio
import json
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from cryptography import x509

from gateway.api.hosts import AllowedHosts
from gateway.application import create_app, create_trust_app
from gateway.server import web_config
from gateway.settings import TlsSettings, load_gateway_settings
from ledger.crypto.certificates import load_x509
from network.certificates.gateway_tls import fingerprint_of, write_gateway_tls
from network.commands.cert import main as cert_command
from tests.unit.gateway.ledger_double import LedgerDouble, services_over

HOST = "gateway.valdivia.example"


def services():
    return services_over(LedgerDouble(lambda _function, _args: {}))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return write_gateway_tls(tmp_path, [HOST], now=datetime.now(tz=UTC))


async def answer_of(app, path: str, tls: TlsSettings | None, verify) -> httpx.Response:
    server = uvicorn.Server(web_config(app, "127.0.0.1", 0, tls=tls))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    scheme = "https" if tls else "http"
    try:
        async with httpx.AsyncClient(verify=verify) as client:
            return await client.get(f"{scheme}://localhost:{port}{path}")
    finally:
        server.should_exit = server.force_exit = True
        await running


def test_a_device_that_has_the_authority_reaches_the_gateway_and_others_do_not(files) -> None:
    tls = TlsSettings(*(Path(files[name]) for name in ("certificate", "key", "ca")))
    app = create_app(services(), tls_ca=tls.ca)
    trusting = ssl.create_default_context(cafile=tls.ca)
    shown = asyncio.run(answer_of(app, "/trust", tls, trusting))
    assert shown.status_code == 200
    assert fingerprint_of(tls.ca) in shown.text
    assert "<svg" in shown.text
    offered = asyncio.run(answer_of(app, "/trust/ca.crt", tls, trusting))
    assert offered.content == tls.ca.read_bytes()
    login = asyncio.run(answer_of(app, "/login/nobody", tls, trusting))
    assert login.status_code == 401
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(answer_of(app, "/trust", tls, ssl.create_default_context()))


def test_the_authority_vouches_for_this_gateway_s_names_only(files, tmp_path: Path) -> None:
    authority = load_x509(Path(files["ca"]).read_bytes())
    permitted = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    names = [str(name.value) for name in permitted.permitted_subtrees]
    assert names == [HOST, "localhost", "127.0.0.1/32"]
    for name in ("gateway-ca.key", "gateway-tls.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_renewing_keeps_the_authority(files, tmp_path: Path) -> None:
    before = {name: Path(path).read_bytes() for name, path in files.items()}
    later = datetime.now(tz=UTC) + timedelta(days=700)
    assert write_gateway_tls(tmp_path, [HOST], now=later) == files
    after = {name: Path(path).read_bytes() for name, path in files.items()}
    assert before["ca"] == after["ca"]
    assert before["certificate"] != after["certificate"]


def test_the_command_prints_the_settings_and_the_fingerprint(tmp_path: Path, capsys) -> None:
    assert cert_command(["tls", "--host", HOST, "--folder", str(tmp_path)]) == 0
    settings, fingerprint = capsys.readouterr().out.splitlines()
    ca = Path(json.loads("{" + settings + "}")["tls"]["ca"])
    assert fingerprint.endswith(fingerprint_of(ca))


def test_without_https_there_is_the_trust_page_and_nothing_else(files) -> None:
    hosts = AllowedHosts.of("127.0.0.1")
    app = create_trust_app(services(), Path(files["ca"]), https_port=8443, hosts=hosts)
    page = asyncio.run(answer_of(app, "/trust", None, ssl.create_default_context()))
    assert fingerprint_of(Path(files["ca"])) in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in ("/account", "/v1/blocks", "//evil.example/x"):
        answer = asyncio.run(answer_of(app, path, None, ssl.create_default_context()))
        assert answer.status_code == 308
        assert answer.headers["location"].startswith("https://localhost:8443/")


def test_without_an_authority_there_is_no_trust_page() -> None:
    answer = asyncio.run(answer_of(create_app(services()), "/trust", None, True))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("changes", "is_accepted"),
    [
        ({}, False),
        ({"tls": {"certificate": "/a", "key": "/b", "ca": "/c", "trust_port": 80}}, True),
        ({"behind_tls_proxy": True}, True),
        ({"host": "127.0.0.1"}, True),
    ],
)
def test_a_gateway_off_this_machine_speaks_https(
    tmp_path: Path, changes: dict, is_accepted: bool
) -> None:
    settings = {
        "host": "192.0.2.7",
        "port": 8443,
        "ledger": {"channel_id": "c", "chaincode": "e", "tls_ca": "/ca", "peers": []},
        "identity": {"mspid": "M", "certificate": "/c", "key": "/k"},
        "community": {"id": "v", "name": "V", "hour_ms": 3_600_000, "utc_offset_minutes": 0},
    }
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps(settings | changes))
    if is_accepted:
        assert load_gateway_settings(path).port == 8443
    else:
        with pytest.raises(ValueError, match="HTTPS"):
            load_gateway_settings(path)

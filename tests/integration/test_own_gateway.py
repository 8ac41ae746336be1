"""From a plan to a gateway that is ready, with the documented commands (docs/gateway.md)."""

import asyncio
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from ledger.crypto.certificates import load_x509
from network.plan import default_plan_text
from network.ports import free_port_range
from tests.support.conditions import until

pytestmark = pytest.mark.slow

POLL_S = 0.2
STOP_S = 60
ROLES = {
    role: ["CooperativeMSP"]
    for role in ("community_manager", "scheduler", "dso", "auditor", "oracle", "notifier")
}


def gridledger(folder: Path, *words: str) -> str:
    """What a command that ends well prints."""
    command = [sys.executable, "-m", "network.cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A network with its contracts, its roles and the files of its broker."""
    folder = tmp_path_factory.mktemp("own")
    start = free_port_range(9)
    plan = default_plan_text(
        name="own",
        first_peer_port=start,
        first_validator_port=start + 4,
        gateway_port=start + 8,
    )
    (folder / "network.toml").write_text(plan, encoding="utf-8")
    gridledger(folder, "network", "init")
    try:
        gridledger(folder, "network", "up")
        gridledger(
            folder,
            *("cert", "issue", "cooperative", "manager"),
            *("--attribute", "role=community_manager"),
        )
        gridledger(
            folder,
            *("chaincode", "invoke", "energy", "registry:configure"),
            *("--as", "cooperative", "--user", "manager"),
            f"role_members={json.dumps(ROLES)}",
        )
        gridledger(folder, "broker", "cooperative", "--folder", "broker", "--community", "own")
        yield folder
    finally:
        gridledger(folder, "network", "down")


@contextmanager
def running_gateway(folder: Path) -> Iterator[tuple[str, str]]:
    """The process, as the command becomes it: what it printed first, and its address."""
    words = ("gateway", "cooperative", "--community", "own", "--name", "Our valley")
    command = [sys.executable, "-u", "-m", "network.cli", *words, "--broker", "broker"]
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=log)
    settings = folder / "gateway.json"
    try:
        asyncio.run(until(settings.exists, poll_s=POLL_S))
        port = json.loads(settings.read_bytes())["port"]
        url = f"http://127.0.0.1:{port}"
        asyncio.run(until(lambda: _is_ready(url), poll_s=POLL_S))
        yield (folder / "out").read_text(encoding="utf-8"), url
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(STOP_S)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False


def test_the_commands_of_the_manual_give_a_gateway_and_a_manager(folder: Path) -> None:
    with running_gateway(folder) as (printed, url), httpx.Client(base_url=url) as browser:
        link = re.search(r"/login/\S+", printed)
        assert link is not None
        assert browser.get(link[0], follow_redirects=True).is_success
        console = browser.get("/console")
        assert console.is_success
        assert "Our valley" in console.text
        assert "not signed in" not in gridledger(folder, "top", "--once")  # it has its own token
    written = (folder / "gateway.json").read_bytes()
    assert (folder / "gateway.json").stat().st_mode & 0o777 == 0o600
    with running_gateway(folder) as (printed, _):
        assert "/login/" not in printed  # it is printed once, and the settings stay
    assert (folder / "gateway.json").read_bytes() == written


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--community"),
        (("--community", "own", "--broker", "nowhere"), "gridledger broker"),
        (("--community", "own", "--host", "0.0.0.0"), "--tls-name"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_written(
    folder: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    (tmp_path / "network.toml").write_bytes((folder / "network.toml").read_bytes())
    (tmp_path / "network-data").symlink_to(folder / "network-data")
    command = [sys.executable, "-m", "network.cli", "gateway", "cooperative", "--write-only"]
    done = subprocess.run(
        [*command, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert not (tmp_path / "gateway.json").exists()


def test_the_brokers_certificate_follows_its_names(folder: Path) -> None:
    words = ("broker", "cooperative", "--folder", "named", "--community", "own")
    certificate = folder / "named" / "broker.crt"
    gridledger(folder, *words)
    first = certificate.read_bytes()
    gridledger(folder, *words)
    assert certificate.read_bytes() == first
    gridledger(folder, *words, "--host", "0.0.0.0", "--name", "broker.valley.example")
    assert certificate.read_bytes() != first
    certificate.with_suffix(".key").write_bytes((folder / "broker" / "broker.key").read_bytes())
    unfit = certificate.read_bytes()  # as a power cut between the two files leaves them
    gridledger(folder, *words, "--host", "0.0.0.0", "--name", "broker.valley.example")
    assert certificate.read_bytes() != unfit
    found = load_x509(certificate.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "broker.valley.example" in names.get_values_for_type(x509.DNSName)
    assert stat.S_IMODE(certificate.with_suffix(".key").stat().st_mode) == 0o600


def test_off_this_machine_it_speaks_https(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "network.toml").write_bytes((folder / "network.toml").read_bytes())
    (tmp_path / "network-data").symlink_to(folder / "network-data")
    words = ("--community", "own", "--host", "0.0.0.0", "--tls-name", "energy.valley.example")
    printed = gridledger(tmp_path, "gateway", "cooperative", "--write-only", *words)
    assert "https://energy.valley.example:" in printed
    settings = json.loads((tmp_path / "gateway.json").read_bytes())
    assert settings["allowed_hosts"] == ["energy.valley.example"]
    assert Path(settings["tls"]["certificate"]).is_file()

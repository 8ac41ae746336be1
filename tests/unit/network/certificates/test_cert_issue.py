"""`gridledger cert issue`: people whom the channel then knows."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ledger.crypto.msp import MspRegistry
from ledger.crypto.signing import Signer, SigningIdentity, generate_key
from ledger.model.codec_block import decode_block
from ledger.model.config_codec import decode_config_block
from ledger.model.policy import Role
from network.cli import main
from network.layout import MemberLayout, NetworkLayout
from network.plan import default_plan_text, load_plan

SUBJECT = "O=Hyperledger,ST=North Carolina,C=US"


@pytest.fixture
def plan_path(tmp_path: Path) -> Path:
    path = tmp_path / "network.toml"
    named = 'mspid = "DsoMSP"\nauthority_subject = "CN=ca.dso.example,O=DSO"'
    path.write_text(default_plan_text().replace('mspid = "DsoMSP"', named), encoding="utf-8")
    assert main(["network", "init", "--plan", str(path)]) == 0
    return path


def issue(plan_path: Path, *words: str) -> int:
    return main(["cert", "issue", *words, "--plan", str(plan_path)])


def layout_of(plan_path: Path) -> NetworkLayout:
    return NetworkLayout(load_plan(plan_path).data_dir)


def registry_of(plan_path: Path) -> MspRegistry:
    genesis = decode_block(layout_of(plan_path).genesis_block.read_bytes())
    return MspRegistry(decode_config_block(genesis))


def folder_of(plan_path: Path, member: str) -> MemberLayout:
    return layout_of(plan_path).member(member)


def test_the_community_manager_gets_an_identity(plan_path: Path) -> None:
    assert issue(plan_path, "cooperative", "maria", "--attribute", "role=manager") == 0
    pair = folder_of(plan_path, "cooperative").user("maria")
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
    signer = Signer(pair.key.read_bytes())
    identity = SigningIdentity("CooperativeMSP", pair.certificate.read_bytes(), signer)
    known = registry_of(plan_path).identity(identity.serialized)
    assert (known.role, known.attributes) == (Role.CLIENT, {"role": "manager"})


def test_a_household_keeps_its_key(plan_path: Path, tmp_path: Path) -> None:
    key = generate_key()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    path = tmp_path / "home.csr"
    pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path.write_bytes(pem)
    out = tmp_path / "out"
    words = ("--request", str(path), "--folder", str(out), "--attribute", "idgrid=CL-0007")
    assert issue(plan_path, "cooperative", "home-7", *words) == 0
    assert [file.name for file in out.iterdir()] == ["home-7.crt"]
    certificate = x509.load_pem_x509_certificate((out / "home-7.crt").read_bytes())
    assert certificate.public_key() == key.public_key()


def test_subjects_can_be_those_of_fabric_ca(plan_path: Path) -> None:
    assert issue(plan_path, "dso", "buyer", "--subject", SUBJECT, "--role", "admin") == 0
    pem = folder_of(plan_path, "dso").user("buyer").certificate.read_bytes()
    certificate = x509.load_pem_x509_certificate(pem)
    subject = certificate.subject.rfc4514_string()
    assert subject == f"CN=buyer,OU=admin,{SUBJECT}"
    assert certificate.issuer.rfc4514_string() == "CN=ca.dso.example,O=DSO"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("bakery", "anna"), "there is no member 'bakery'"),
        (("dso", "../anna"), "cannot be a name"),
        (("dso", "anna", "--attribute", "manager"), "NAME=VALUE"),
        (("dso", "anna", "--attribute", "a=1", "--attribute", "a=2"), "given twice"),
        (("dso", "anna", "--subject", "nonsense"), "is no name"),
        (("dso", "anna", "--request", "pyproject.toml"), "not a signing request"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    plan_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    assert issue(plan_path, *words) == 1
    assert reason in capsys.readouterr().err
    assert not list(folder_of(plan_path, "dso").root.glob("users/*"))


def test_nobody_is_overwritten(plan_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert issue(plan_path, "dso", "anna") == 0
    before = folder_of(plan_path, "dso").user("anna").certificate.read_bytes()
    assert issue(plan_path, "dso", "anna") == 1
    assert "never overwritten" in capsys.readouterr().err
    assert folder_of(plan_path, "dso").user("anna").certificate.read_bytes() == before

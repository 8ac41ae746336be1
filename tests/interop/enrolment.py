"""Answers the commands of `fabric-ca-client` with our own: registering and enrolling users.

`enroll` writes the user's MSP folder. With a configuration file that asks for PKCS#11 the private
key goes into that token (SoftHSM) and only the certificate onto the disk.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.crypto.signing import generate_key, private_key_pem
from network.cli import main as gridledger
from network.layout import NetworkLayout, write_new
from network.plan import load_plan
from tests.interop.crypto_tree import FABRIC_CA_SUBJECT
from tests.interop.running_peers import FOLDER_VARIABLE

PORTS = {7054: "org1", 8054: "org2"}
"""Where each organisation's authority would listen."""
SECURITY_OFFICER_PIN = "1234"


def main(arguments: Sequence[str] | None = None) -> int:
    """One command as `fabric-ca-client` is given it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[0] == "register":
        return 0  # whoever is enrolled is registered
    assert words[0] == "enroll", words
    options, _ = _parser().parse_known_args(words[1:])
    url = urlsplit(options.url)
    assert url.username
    assert url.port
    plan_path = Path(os.environ[FOLDER_VARIABLE]) / "network.toml"
    folder = Path(options.msp)
    folder.mkdir(parents=True, exist_ok=True)
    member = load_plan(plan_path).member(PORTS[url.port])
    enrolment = Enrolment(plan_path, member.id, url.username, folder)
    token = _token(options.configuration)
    return enrolment.into_files() if token is None else enrolment.into_token(token)


class Token:
    """A PKCS#11 token of SoftHSM."""

    def __init__(self, label: str, pin: str) -> None:
        self.label = label
        self.pin = pin

    def begin(self) -> None:
        """Make the token unless it is there."""
        shown = subprocess.run(["softhsm2-util", "--show-slots"], capture_output=True, check=True)
        if re.search(rf"Label:\s+{self.label}\b", shown.stdout.decode()) is None:
            pins = ("--pin", self.pin, "--so-pin", SECURITY_OFFICER_PIN)
            self._run("--init-token", "--free", "--label", self.label, *pins)

    def take(self, key_pem: bytes, identifier: bytes) -> None:
        """Import a private key under that identifier."""
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(key_pem)
            file.flush()
            token = ("--token", self.label, "--pin", self.pin)
            name = ("--label", "gridledger", "--id", identifier.hex(), "--force")
            self._run("--import", file.name, *token, *name)

    def _run(self, *words: str) -> None:
        subprocess.run(["softhsm2-util", *words], capture_output=True, check=True)


class Enrolment:
    """One user of one organisation."""

    def __init__(self, plan_path: Path, member_id: str, name: str, folder: Path) -> None:
        self._plan_path = plan_path
        self._layout = NetworkLayout(load_plan(plan_path).data_dir)
        self._member_id = member_id
        self._name = name
        self._folder = folder

    def into_files(self) -> int:
        """Certificate and key in the folder's signcerts/ and keystore/, as in users/."""
        user = self._layout.member(self._member_id).user(self._name)
        status = 0 if user.key.exists() else self._issue()
        write_new(
            self._folder / "signcerts/cert.pem", user.certificate.read_bytes(), private=False
        )
        write_new(self._folder / "keystore/key.pem", user.key.read_bytes(), private=True)
        return status

    def into_token(self, token: Token) -> int:
        """The certificate in signcerts/; the key in the token, by its subject key identifier."""
        key = generate_key()
        request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
        with tempfile.NamedTemporaryFile(suffix=".csr") as file:
            file.write(request.public_bytes(Encoding.PEM))
            file.flush()
            issued = self._folder / "signcerts"
            status = self._issue("--request", file.name, "--folder", str(issued))
        (issued / f"{self._name}.crt").rename(issued / "cert.pem")
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        token.begin()
        token.take(private_key_pem(key), sha256(point).digest())
        return status

    def _issue(self, *options: str) -> int:
        whose = (self._member_id, self._name, "--subject", FABRIC_CA_SUBJECT)
        return gridledger(["cert", "issue", *whose, *options, "--plan", str(self._plan_path)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fabric-ca-client enroll")
    parser.add_argument("-u", "--url", required=True)
    parser.add_argument("-M", "--mspdir", dest="msp", required=True)
    parser.add_argument("-c", "--home", dest="configuration", type=Path)
    return parser


def _token(configuration: Path | None) -> Token | None:
    """The token that a client's configuration file names."""
    if configuration is None:
        return None
    text = configuration.read_text(encoding="utf-8")
    if re.search(r"default:\s*PKCS11", text) is None:
        return None
    label, pin = (re.search(rf"{name}:\s*(\S+)", text) for name in ("Label", "Pin"))
    assert label
    assert pin
    return Token(label[1], pin[1])


if __name__ == "__main__":
    sys.exit(main())

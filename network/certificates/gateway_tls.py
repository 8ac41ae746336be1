"""`gridledger cert tls`: HTTPS for a gateway, from an authority that vouches for nothing else.

Browsers make keys on secure addresses only, and a gateway in a village has no name in the public
DNS. So it has an authority of its own, which households add to their devices once. Its certificate
permits this gateway's names only (RFC 5280, 4.2.1.10): a thief of its key is no bank.
"""

import argparse
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger.crypto.certificates import load_x509
from ledger.crypto.signing import generate_key, private_key_pem
from network.certificates.authority import (
    AUTHORITY_LIFETIME_DAYS,
    CERTIFICATE_LIFETIME_DAYS,
    LOOPBACK_HOSTS,
    Authority,
    KeyPair,
    host_name,
)
from network.certificates.credentials import read_pair, write_pair
from network.layout import Credential, write_replacing

PUBLIC_FILE_MODE, PRIVATE_FOLDER_MODE = 0o644, 0o700
AUTHORITY_NAME, SERVER_NAME = "gateway-ca", "gateway-tls"


def add_tls_arguments(tls: argparse.ArgumentParser) -> None:
    """What `gridledger cert tls` takes."""
    tls.add_argument(
        "--host",
        action="append",
        required=True,
        metavar="NAME",
        help="name or IP address people open; may be given again",
    )
    tls.add_argument("--folder", type=Path, default=Path(), help="where the files are (here)")


def write_gateway_tls(folder: Path, hosts: list[str], *, now: datetime) -> dict[str, str]:
    """Make or renew a gateway's certificate; the settings' part `tls` with the three files.

    An authority that is there already is used again, so devices need not be told anew; hosts
    beyond those it was made for need a new authority: remove its two files first.
    """
    folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    names = list(dict.fromkeys((*hosts, *LOOPBACK_HOSTS)))
    place = _place(folder, AUTHORITY_NAME)
    if place.certificate.exists():
        authority = Authority(read_pair(place))
    else:
        authority = _new_authority(names, now=now)
        write_pair(place, authority.pair)
    server, pair = _place(folder, SERVER_NAME), _server_pair(authority, names, now=now)
    write_replacing(server.certificate, pair.certificate_pem, mode=PUBLIC_FILE_MODE)
    write_replacing(server.key, pair.key_pem)
    return {
        "certificate": str(server.certificate.absolute()),
        "key": str(server.key.absolute()),
        "ca": str(place.certificate.absolute()),
    }


def fingerprint_of(certificate: Path) -> str:
    """SHA-256 of a certificate in groups of four, as the trust page and devices show it."""
    digest = load_x509(certificate.read_bytes()).fingerprint(hashes.SHA256())
    return digest.hex(" ", 2).upper()


def _new_authority(names: list[str], *, now: datetime) -> Authority:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Gateway {names[0]}")])
    permitted = x509.NameConstraints([_permitted(name) for name in names], None)
    return Authority.create_named(
        subject, now=now, days=AUTHORITY_LIFETIME_DAYS, extensions=[(permitted, False)]
    )


def _server_pair(authority: Authority, names: list[str], *, now: datetime) -> KeyPair:
    key = generate_key()
    certificate = authority.issue(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]),
        key.public_key(),
        [
            (x509.SubjectAlternativeName([host_name(name) for name in names]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ],
        now=now,
        days=CERTIFICATE_LIFETIME_DAYS,
    )
    return KeyPair(certificate, private_key_pem(key))


def _permitted(name: str) -> x509.GeneralName:
    """An address as a network of one address; a name as it is."""
    try:
        return x509.IPAddress(ip_network(ip_address(name)))
    except ValueError:
        return x509.DNSName(name)


def _place(folder: Path, name: str) -> Credential:
    return Credential(folder / f"{name}.crt", folder / f"{name}.key")

"""Chaincode packages as Fabric has them: read from bytes, within bounds, nothing written.

A package is a gzipped tar of `metadata.json` {type, label, path} and `code.tar.gz`; its id is
`label:hex of its SHA-256`. Texts of refusals begin with Fabric's words.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from ledger.crypto.hashing import sha256
from ledger.endorsement.packages.archives import ArchiveLimits, ArchiveRefused, read_archive

METADATA_FILE = "metadata.json"
CODE_FILE = "code.tar.gz"
CONNECTION_FILE = "connection.json"
METADATA_BYTES_MAX = 64 * 1024
LABEL_CHARACTERS_MAX = 100
MODULE_CHARACTERS_MAX = 200
PORT_MAX = 65_535
DIAL_TIMEOUT_MS = 3_000
DIAL_TIMEOUT_MS_MAX = 60_000

PACKAGE_ARCHIVE = ArchiveLimits(
    packed_bytes_max=8 * 1024 * 1024, unpacked_bytes_max=9 * 1024 * 1024, files_max=16
)
CODE_ARCHIVE = ArchiveLimits(
    packed_bytes_max=8 * 1024 * 1024, unpacked_bytes_max=32 * 1024 * 1024, files_max=4_000
)

SERVICE = "ccaas"
PYTHON = "python"

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", re.ASCII)
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,6})(ms|s|m)", re.ASCII)
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000}


class PackageRefused(ArchiveRefused):
    """These bytes are no package this peer takes; the text says why."""


@dataclass(frozen=True, slots=True)
class ChaincodePackage:
    """A package that was read; `raw` is what its id was made of."""

    package_id: str
    label: str
    kind: str
    """`type` of the metadata, in lower case."""
    path: str
    """Where the code came from; for kind `python` the module with the contracts."""
    code_raw: bytes
    """code.tar.gz."""
    raw: bytes


@dataclass(frozen=True, slots=True)
class ServiceConnection:
    """Where a chaincode that runs as a service listens, and how it is spoken to."""

    address: str
    dial_timeout_ms: int = DIAL_TIMEOUT_MS
    tls_required: bool = False
    root_certificate: bytes = b""
    """PEM of the authority of the service's certificate."""
    client_auth_required: bool = False
    client_key: bytes = b""
    """PEM, like `client_certificate`: what the peer shows the service."""
    client_certificate: bytes = b""


def read_package(raw: bytes) -> ChaincodePackage:
    """The package in `raw`; raises PackageRefused."""
    found = _top_level(raw)
    if CODE_FILE not in found:
        raise PackageRefused("did not find a code package inside the package")
    if METADATA_FILE not in found:
        raise PackageRefused(f"did not find any package metadata (missing {METADATA_FILE})")
    metadata = _json_object(METADATA_FILE, found[METADATA_FILE])
    label = _text(METADATA_FILE, metadata, "label")
    if len(label) > LABEL_CHARACTERS_MAX or not _LABEL.fullmatch(label):
        raise PackageRefused(
            f"invalid label {label[:LABEL_CHARACTERS_MAX]!r}. Label must be non-empty, can only"
            " consist of alphanumerics, symbols from '.+-_', and can only begin with alphanumerics"
        )
    return ChaincodePackage(
        package_id=package_id(label, raw),
        label=label,
        kind=_text(METADATA_FILE, metadata, "type").lower(),
        path=_text(METADATA_FILE, metadata, "path"),
        code_raw=found[CODE_FILE],
        raw=raw,
    )


def package_id(label: str, raw: bytes) -> str:
    """The id by which members name a package they installed."""
    return f"{label}:{sha256(raw).hex()}"


def code_files(package: ChaincodePackage) -> dict[str, bytes]:
    """The files of code.tar.gz by relative path; raises PackageRefused.

    Paths are safe to unpack below a folder: relative, without `..`, and no file lies below
    another file.
    """
    try:
        return read_archive(package.code_raw, CODE_ARCHIVE)
    except ArchiveRefused as error:
        raise PackageRefused(f"{CODE_FILE}: {error}") from error


def contract_module(package: ChaincodePackage, files: dict[str, bytes]) -> str:
    """The importable module a `python` package names; raises PackageRefused."""
    module = package.path
    if len(module) > MODULE_CHARACTERS_MAX or not _MODULE.fullmatch(module):
        raise PackageRefused(f"path {module[:80]!r} of {METADATA_FILE} is no name of a module")
    file = module.replace(".", "/")
    if f"{file}.py" not in files and f"{file}/__init__.py" not in files:
        raise PackageRefused(f"{CODE_FILE} does not hold the module {module}")
    return module


def service_connection(files: dict[str, bytes]) -> ServiceConnection:
    """What connection.json of a `ccaas` package says; raises PackageRefused."""
    if CONNECTION_FILE not in files:
        raise PackageRefused(f"{CONNECTION_FILE} not found in {CODE_FILE}")
    raw = _json_object(CONNECTION_FILE, files[CONNECTION_FILE])
    address = _text(CONNECTION_FILE, raw, "address")
    host, _, port = address.rpartition(":")
    if not host or not _PORT.fullmatch(port) or not 0 < int(port) <= PORT_MAX:
        raise PackageRefused(f"{CONNECTION_FILE}: address {address[:80]!r} is no host:port")

    def text(name: str) -> str:
        return _text(CONNECTION_FILE, raw, name)

    def flag(name: str) -> bool:
        value = raw.get(name, False)
        if not isinstance(value, bool):
            raise PackageRefused(f"{CONNECTION_FILE}: {name} is neither true nor false")
        return value

    found = ServiceConnection(
        address=address,
        dial_timeout_ms=_duration_ms(text("dial_timeout")),
        tls_required=flag("tls_required"),
        root_certificate=text("root_cert").encode(),
        client_auth_required=flag("client_auth_required"),
        client_key=text("client_key").encode(),
        client_certificate=text("client_cert").encode(),
    )
    _require_certificates(found)
    return found


def _require_certificates(found: ServiceConnection) -> None:
    if found.tls_required and not found.root_certificate:
        raise PackageRefused(f"{CONNECTION_FILE}: tls_required without root_cert")
    if found.client_auth_required and not (found.client_key and found.client_certificate):
        raise PackageRefused(
            f"{CONNECTION_FILE}: client_auth_required without client_key and client_cert"
        )


def _top_level(raw: bytes) -> dict[str, bytes]:
    try:
        return read_archive(raw, PACKAGE_ARCHIVE)
    except ArchiveRefused as error:
        raise PackageRefused(str(error)) from error


def _json_object(file: str, raw: bytes) -> dict[str, Any]:
    if len(raw) > METADATA_BYTES_MAX:
        raise PackageRefused(f"{file} is larger than {METADATA_BYTES_MAX} bytes")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise PackageRefused(f"could not unmarshal {file} as json") from error
    if not isinstance(found, dict):
        raise PackageRefused(f"could not unmarshal {file} as json: it is no object")
    return found


def _text(file: str, found: dict[str, Any], name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str) or any("\ud800" <= char <= "\udfff" for char in value):
        raise PackageRefused(f"{file}: {name} is no text")
    return value


def _duration_ms(text: str) -> int:
    """Go's short durations: `10s`, `500ms`, `1m`; empty is the default."""
    if not text:
        return DIAL_TIMEOUT_MS
    match = _DURATION.fullmatch(text)
    duration_ms = int(match[1]) * _UNIT_MS[match[2]] if match else 0
    if not 0 < duration_ms <= DIAL_TIMEOUT_MS_MAX:
        raise PackageRefused(
            f"{CONNECTION_FILE}: dial_timeout {text[:20]!r} is not between 1ms and 60s"
        )
    return duration_ms

"""Chaincode packages: the whole file, the tar inside it, and its two documents."""

from ledger.endorsement.packages.archives import ArchiveRefused, read_archive
from ledger.endorsement.packages.package import (
    CODE_ARCHIVE,
    CONNECTION_FILE,
    METADATA_FILE,
    ServiceConnection,
    code_files,
    contract_module,
    read_package,
    service_connection,
)
from tests.fuzz.engine import FuzzTarget, Shape
from tests.support.package_files import (
    archive_of,
    packed,
    plain,
    python_package,
    service_package,
    tar_of,
)

INPUT_BYTES_MAX = 256 * 1024
"""Packages may be larger; these reach every rule."""

CONNECTION = (
    b'{"address": "host:9999", "dial_timeout": "10s", "tls_required": true,'
    b' "root_cert": "-----BEGIN CERTIFICATE-----", "client_auth_required": true,'
    b' "client_key": "key", "client_cert": "certificate"}'
)


def _read_all(raw: bytes) -> str:
    package = read_package(raw)
    files = code_files(package)
    if package.kind == "ccaas":
        service_connection(files)
    else:
        contract_module(package, files)
    return "service" if package.kind == "ccaas" else "python"


def _connection(raw: bytes) -> ServiceConnection:
    return service_connection({CONNECTION_FILE: raw})


def _metadata(raw: bytes) -> None:
    read_package(archive_of({METADATA_FILE: raw, "code.tar.gz": b"code"}))


def _tars() -> list[bytes]:
    long_name = "/".join(["folder" * 5] * 6) + "/contract.py"
    return [
        tar_of([plain("market.py", b"x = 1\n")]),
        tar_of([plain("a/b.py", b""), plain(long_name, b"y" * 700)]),
    ]


TARGETS = (
    FuzzTarget(
        "package",
        "a chaincode package an operator was given",
        lambda: [python_package("market", "x = 1\n"), service_package()],
        lambda: _read_all,
        INPUT_BYTES_MAX,
        allowed=(ArchiveRefused,),
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "package-tar",
        "the archive inside a package, well packed whatever it holds",
        _tars,
        lambda: lambda raw: sorted(read_archive(packed(raw), CODE_ARCHIVE))[:1],
        INPUT_BYTES_MAX,
        allowed=(ArchiveRefused,),
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "package-metadata",
        "metadata.json of a package",
        lambda: [b'{"type": "ccaas", "label": "basic_1.0", "path": ""}'],
        lambda: _metadata,
        INPUT_BYTES_MAX,
        allowed=(ArchiveRefused,),
        shape=Shape.TEXT,
    ),
    FuzzTarget(
        "package-connection",
        "connection.json of a package",
        lambda: [CONNECTION],
        lambda: _connection,
        INPUT_BYTES_MAX,
        allowed=(ArchiveRefused,),
        shape=Shape.TEXT,
    ),
)

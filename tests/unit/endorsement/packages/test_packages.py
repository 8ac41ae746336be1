"""Fabric's chaincode packages: what is read, and everything that is refused."""

import gzip
import hashlib
import io
import tarfile

import pytest

from ledger.endorsement.packages.archives import (
    PATH_CHARACTERS_MAX,
    RATIO_FREE_BYTES,
    RATIO_MAX,
    ArchiveLimits,
    ArchiveRefused,
    read_archive,
)
from ledger.endorsement.packages.package import (
    CODE_ARCHIVE,
    PackageRefused,
    code_files,
    contract_module,
    read_package,
    service_connection,
)
from tests.support.package_files import (
    archive_of,
    package_of,
    packed,
    plain,
    python_package,
    service_package,
    special,
    tar_of,
)

LIMITS = ArchiveLimits(packed_bytes_max=100_000, unpacked_bytes_max=4_000_000, files_max=20)
METADATA = b'{"type": "Python", "label": "m_1", "path": "m"}'


def test_a_python_package():
    raw = python_package("market.rules", "x = 1\n")
    package = read_package(raw)
    assert package.package_id == "market_1.0:" + hashlib.sha256(raw).hexdigest()
    assert (package.label, package.kind, package.raw) == ("market_1.0", "python", raw)
    files = code_files(package)
    assert files == {"market/rules.py": b"x = 1\n"}
    assert contract_module(package, files) == "market.rules"


def test_a_service_and_its_connection():
    package = read_package(service_package(tls_required=True, root_cert="a\nb"))
    connection = service_connection(code_files(package))
    assert package.kind == "ccaas"
    assert (connection.address, connection.dial_timeout_ms) == ("127.0.0.1:9999", 10_000)
    assert (connection.tls_required, connection.root_certificate) == (True, b"a\nb")


def test_folders_and_a_leading_dot_are_passed_over():
    entries = [special("./", tarfile.DIRTYPE), special("./a/", tarfile.DIRTYPE)]
    raw = packed(tar_of([*entries, plain("./a/b.py", b"1")]))
    assert read_archive(raw, LIMITS) == {"a/b.py": b"1"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"metadata.json": METADATA}, "did not find a code package inside the package"),
        ({"code.tar.gz": b""}, "did not find any package metadata"),
        ({"code.tar.gz": b"", "metadata.json": b"{"}, "could not unmarshal metadata.json as json"),
        ({"code.tar.gz": b"", "metadata.json": b"[" * 30_000}, "could not unmarshal"),
        ({"code.tar.gz": b"", "metadata.json": b"[1]"}, "it is no object"),
        ({"code.tar.gz": b"", "metadata.json": b" " * 70_000}, "larger than"),
        ({"code.tar.gz": b"", "metadata.json": b'{"label": 1}'}, "label is no text"),
        ({"code.tar.gz": b"", "metadata.json": b'{"label": "../x"}'}, "invalid label '../x'."),
        ({"code.tar.gz": b"", "metadata.json": b'{"label": ""}'}, "Label must be non-empty"),
    ],
)
def test_a_package_without_what_it_needs(files, words):
    with pytest.raises(PackageRefused, match=words):
        read_package(archive_of(files))


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("out", tarfile.SYMTYPE, "/etc/passwd"),
        ("out", tarfile.LNKTYPE, "../../key"),
        ("pipe", tarfile.FIFOTYPE, ""),
        ("device", tarfile.CHRTYPE, ""),
        ("disk", tarfile.BLKTYPE, ""),
    ],
)
def test_links_and_devices_are_refused(name, kind, target):
    with pytest.raises(ArchiveRefused, match="is not a regular file"):
        read_archive(packed(tar_of([special(name, kind, target)])), LIMITS)


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "a/../../out",
        "/etc/cron.d/x",
        "a//b",
        "..",
        "C:\\x",
        "a\\..\\b",
        "a/\x1b[2J",
        "a/./b",
    ],
)
def test_paths_that_leave_the_folder_are_refused(name):
    with pytest.raises(ArchiveRefused, match="does not stay in its folder"):
        read_archive(packed(tar_of([plain(name, b"x")])), LIMITS)


def test_a_bomb_is_refused_when_it_passes_the_limit_and_not_unpacked():
    bomb = gzip.compress(bytes(60_000_000))
    assert len(bomb) < LIMITS.packed_bytes_max
    with pytest.raises(ArchiveRefused, match="unpacks to more than 4000000 bytes"):
        read_archive(bomb, LIMITS)


def test_what_is_packed_beyond_belief_is_refused():
    assert CODE_ARCHIVE.unpacked_bytes_max > RATIO_FREE_BYTES
    raw = gzip.compress(bytes(CODE_ARCHIVE.unpacked_bytes_max - 100_000))
    with pytest.raises(ArchiveRefused, match="more than 100 times its size"):
        read_archive(raw, CODE_ARCHIVE)


@pytest.mark.parametrize("folder", ["", "package/" * 20 + "n" * (PATH_CHARACTERS_MAX - 170)])
def test_as_many_small_files_as_there_may_be_are_taken(folder):
    names = [f"{folder}{number}/m.py" for number in range(CODE_ARCHIVE.files_max)]
    entries = [
        entry
        for name in names
        for entry in (special(name.removesuffix("/m.py"), tarfile.DIRTYPE), plain(name, b"\n"))
    ]
    unpacked = tar_of(entries)
    raw = packed(unpacked)
    assert len(unpacked) > RATIO_MAX * len(raw)
    assert read_archive(raw, CODE_ARCHIVE) == dict.fromkeys(names, b"\n")


def test_a_sparse_file_is_refused():
    info = tarfile.TarInfo("holes")
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": "99999999999",
        "GNU.sparse.name": "holes",
    }
    info.size = 512
    raw = packed(tar_of([(info, b"1\n0\n511\n".ljust(512, b"\0"))]))
    with pytest.raises(ArchiveRefused, match="not a regular file"):
        read_archive(raw, LIMITS)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "gzip stream: unexpected EOF"),
        (b"no archive at all", "error reading as gzip stream"),
        (archive_of({"a": b"1"})[:-9], "unexpected EOF"),
        (archive_of({"a": b"1"}) + b"more", "bytes after its end"),
        (packed(b"x" * 2000), "error inspecting next tar header"),
        (bytes(200_000), "the limit is 100000"),
    ],
)
def test_a_damaged_archive(raw, words):
    with pytest.raises(ArchiveRefused, match=words):
        read_archive(raw, LIMITS)


def test_files_are_counted():
    raw = archive_of({f"f{number}": b"" for number in range(21)})
    with pytest.raises(ArchiveRefused, match="more than 20 files"):
        read_archive(raw, LIMITS)
    folders = packed(tar_of(special(f"d{number}", tarfile.DIRTYPE) for number in range(100)))
    with pytest.raises(ArchiveRefused, match="more than 20 files"):
        read_archive(folders, LIMITS)


def test_a_name_given_twice_or_as_file_and_folder():
    with pytest.raises(ArchiveRefused, match="'a' twice"):
        read_archive(packed(tar_of([plain("a", b"1"), plain("./a", b"2")])), LIMITS)
    with pytest.raises(ArchiveRefused, match="'a' is a file and a folder"):
        read_archive(archive_of({"a": b"1", "a/b": b"2"}), LIMITS)


def test_a_size_that_is_a_lie():
    info, _ = plain("a", b"")
    info.size = 1_000_000
    raw = packed(info.tobuf() + b"short")
    with pytest.raises(ArchiveRefused, match=r"unexpected EOF|tar header"):
        read_archive(raw, LIMITS)


def test_headers_within_headers_without_end():
    stream = io.BytesIO()
    for _ in range(3_000):
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4
        stream.write(info.tobuf() + b"abc\0".ljust(512, b"\0"))
    with pytest.raises(ArchiveRefused):
        read_archive(packed(stream.getvalue()), LIMITS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"address": "nowhere"}, "no host:port"),
        ({"address": "host:70000"}, "no host:port"),
        ({"address": 5}, "address is no text"),
        ({"dial_timeout": "soon"}, "dial_timeout"),
        ({"dial_timeout": "900m"}, "dial_timeout"),
        ({"tls_required": "yes"}, "neither true nor false"),
        ({"tls_required": True}, "tls_required without root_cert"),
        ({"client_auth_required": True}, "client_auth_required without"),
    ],
)
def test_a_connection_that_cannot_be_meant(change, words):
    package = read_package(service_package(**change))
    with pytest.raises(PackageRefused, match=words):
        service_connection(code_files(package))


def test_a_service_without_connection():
    package = read_package(package_of({"other": b""}, kind="ccaas"))
    with pytest.raises(PackageRefused, match=r"connection\.json not found"):
        service_connection(code_files(package))


@pytest.mark.parametrize("path", ["", "os;x", "market.missing", "../market", "a" * 300])
def test_a_module_that_is_not_there(path):
    package = read_package(package_of({"market.py": b""}, path=path))
    with pytest.raises(PackageRefused, match="module"):
        contract_module(package, code_files(package))


def test_code_that_is_no_archive():
    raw = archive_of({"metadata.json": METADATA, "code.tar.gz": b"text"})
    with pytest.raises(PackageRefused, match=r"code\.tar\.gz: error reading as gzip stream"):
        code_files(read_package(raw))

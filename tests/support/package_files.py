"""Chaincode packages and their parts, good ones and others, as bytes."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping

Entry = tuple[tarfile.TarInfo, bytes]


def plain(name: str, content: bytes) -> Entry:
    """A regular file."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def special(name: str, kind: bytes, target: str = "") -> Entry:
    """An entry of another type: a link, a device, a folder."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def tar_of(entries: Iterable[Entry]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def packed(tar: bytes) -> bytes:
    return gzip.compress(tar, mtime=0)


def archive_of(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar of regular files."""
    return packed(tar_of(plain(name, content) for name, content in files.items()))


def package_of(
    files: Mapping[str, bytes], *, label: str = "market_1.0", kind: str = "python", path: str = ""
) -> bytes:
    """A whole package around the files of its code."""
    metadata = json.dumps({"type": kind, "path": path, "label": label}).encode()
    return archive_of({"metadata.json": metadata, "code.tar.gz": archive_of(files)})


def python_package(module: str, source: str, label: str = "market_1.0") -> bytes:
    """One contract module."""
    files = {f"{module.replace('.', '/')}.py": source.encode()}
    return package_of(files, label=label, path=module)


def service_package(label: str = "basic_1.0", **connection: object) -> bytes:
    """A chaincode that runs as a service."""
    settings = {"address": "127.0.0.1:9999", "dial_timeout": "10s", "tls_required": False}
    content = json.dumps({**settings, **connection}).encode()
    return package_of({"connection.json": content}, label=label, kind="ccaas")

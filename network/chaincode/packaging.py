"""Making chaincode packages: the same code gives the same bytes, so members get one id."""

import gzip
import importlib.util
import io
import json
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from ledger.endorsement.packages.connection_templates import with_examples
from ledger.endorsement.packages.package import (
    CODE_FILE,
    CONNECTION_FILE,
    METADATA_FILE,
    PYTHON,
    SERVICE,
    PackageRefused,
    code_files,
    contract_module,
    read_package,
    service_connection,
)

FILE_MODE = 0o644
SOURCE_SUFFIXES = (".py", ".json", ".toml", ".txt", ".md")
LEFT_OUT = {"__pycache__"}


def python_package(module: str, label: str, *, root: Path | None = None) -> bytes:
    """A package of an importable contract module and, if it is one, its whole Python package.

    `root` is where the module lies if it is not importable. Raises PackageRefused.
    """
    files = _module_files(module, root)
    return _package({"type": PYTHON, "path": module, "label": label}, files)


def service_package(connection: Mapping[str, object], label: str) -> bytes:
    """A package that tells where a chaincode service listens. Raises PackageRefused."""
    content = json.dumps(connection, sort_keys=True).encode()
    return _package({"type": SERVICE, "path": "", "label": label}, {CONNECTION_FILE: content})


def _package(metadata: Mapping[str, str], files: Mapping[str, bytes]) -> bytes:
    described = json.dumps(metadata, sort_keys=True).encode()
    raw = _archive({METADATA_FILE: described, CODE_FILE: _archive(files)})
    package = read_package(raw)
    code = code_files(package)
    if package.kind == SERVICE:
        service_connection(with_examples(code))
    else:
        contract_module(package, code)
    return raw


def _archive(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar without times and owners."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(files[name]), FILE_MODE
            archive.addfile(info, io.BytesIO(files[name]))
    return gzip.compress(stream.getvalue(), mtime=0)


def _module_files(module: str, root: Path | None) -> dict[str, bytes]:
    """Contents by path below the folder that imports begin in."""
    file = _source_of(module, root)
    parts = module.split(".")
    if file.name != "__init__.py":
        place = "/".join(parts) + ".py"
        return {place: file.read_bytes()}
    prefix = "/".join(parts)
    return {
        f"{prefix}/{path.relative_to(file.parent).as_posix()}": path.read_bytes()
        for path in sorted(file.parent.rglob("*"))
        if path.is_file() and path.suffix in SOURCE_SUFFIXES and not LEFT_OUT & set(path.parts)
    }


def _source_of(module: str, root: Path | None) -> Path:
    if root is not None:
        sys.path.insert(0, str(root))
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise PackageRefused(f"there is no module {module}: {error}") from error
    finally:
        if root is not None:
            sys.path.remove(str(root))
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise PackageRefused(f"there is no module {module} with Python source")
    return Path(spec.origin)

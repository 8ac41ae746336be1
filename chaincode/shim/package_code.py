"""Contracts of an unpacked package: its own modules come first, everything else as usual.

A package may hold `market.py`, a tree of its own, or part of a namespace that the peer has too,
such as `chaincode/energy`. What the peer itself consists of never comes from a package.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

OF_THE_PEER = ("chaincode.shim", "ledger")


class PackageCode(MetaPathFinder):
    """Finds the modules of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See MetaPathFinder; None leaves the module to Python's own search."""
        if any(fullname == name or fullname.startswith(f"{name}.") for name in OF_THE_PEER):
            return None
        place = self._folder.joinpath(*fullname.split("."))
        if (place / "__init__.py").is_file():
            return spec_from_file_location(
                fullname, place / "__init__.py", submodule_search_locations=[str(place)]
            )
        file = place.with_name(f"{place.name}.py")
        if file.is_file():
            return spec_from_file_location(fullname, file)
        if place.is_dir() and PathFinder.find_spec(fullname, path) is None:
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        return None


def import_from(folder: Path) -> None:
    """Let every later import look into `folder` first."""
    sys.meta_path.insert(0, PackageCode(folder))

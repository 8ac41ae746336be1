"""Names of files and folders that would mislead people or import machinery."""

import sys
from pathlib import PurePosixPath

from tests.architecture.source_files import PACKAGES, ROOT, python_files, repository_files

EMPTY_NAMES = {"utils", "util", "helpers", "common", "misc", "manager", "base", "tools", "stuff"}
OLD_COPIES = ("_old", "_new", "_backup", "_copy", "_orig", "2")


def test_no_file_is_named_for_nothing() -> None:
    named = [path for path in python_files() if PurePosixPath(path).stem in EMPTY_NAMES]
    assert named == []


def test_no_old_copies_are_kept() -> None:
    stems = {path: PurePosixPath(path).stem for path in python_files(*PACKAGES)}
    assert [path for path, stem in stems.items() if stem.endswith(OLD_COPIES)] == []


def test_no_module_shadows_the_standard_library() -> None:
    shadowing = [
        path
        for path in python_files(*PACKAGES)
        if PurePosixPath(path).stem in sys.stdlib_module_names - {"__init__", "__main__"}
    ]
    assert shadowing == []


def test_every_test_folder_is_a_package() -> None:
    """Else pytest would import tests/unit/ledger as `ledger`."""
    folders = {str(PurePosixPath(path).parent) for path in python_files("tests")}
    assert [folder for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


def test_folders_that_must_not_be_packages_are_none() -> None:
    packages = [
        path
        for path in repository_files()
        if path.startswith(("proto/", "docs/", "firmware/"))
        and path.count("/") <= 1
        and path.endswith("__init__.py")
    ]
    assert packages == []

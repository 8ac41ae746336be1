"""Installed packages on disk: whole or not at all, private, and checked against their names."""

import stat

import pytest

from ledger.endorsement.packages.package import PackageRefused, code_files, read_package
from ledger.endorsement.packages.store import InstalledPackage, PackageMissing, PackageStore
from ledger.errors import NodeFault
from tests.support.package_files import python_package

PACKAGE = read_package(python_package("market", "x = 1\n"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "packages"


def test_a_package_is_kept_as_it_came_and_for_its_owner_only(folder):
    store = PackageStore(folder)
    assert store.save(PACKAGE) == InstalledPackage(PACKAGE.package_id, "market_1.0")
    (file,) = folder.glob("*.tar.gz")
    assert file.name == PACKAGE.package_id.replace(":", ".") + ".tar.gz"
    assert file.read_bytes() == PACKAGE.raw
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_another_process_finds_what_was_installed(folder):
    PackageStore(folder).save(PACKAGE)
    again = PackageStore(folder)
    assert [one.package_id for one in again.installed()] == [PACKAGE.package_id]
    assert again.raw(PACKAGE.package_id) == PACKAGE.raw
    assert again.read(PACKAGE.package_id) == PACKAGE


def test_what_a_crash_left_half_written_is_no_package(folder):
    PackageStore(folder)
    name = PACKAGE.package_id.replace(":", ".") + ".tar.gz"
    (folder / f"{name}.new").write_bytes(PACKAGE.raw[:10])
    (folder / "notes.txt").write_text("somebody's", encoding="utf-8")
    assert PackageStore(folder).installed() == ()
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt"]


@pytest.mark.parametrize("package_id", ["market_1.0:" + "0" * 64, "../../key", "", "a:b"])
def test_what_is_not_installed_is_missing(folder, package_id):
    store = PackageStore(folder)
    assert not store.has(package_id)
    for ask in (store.raw, store.read):
        with pytest.raises(PackageMissing, match=r"chaincode install package '.*' not found"):
            ask(package_id)


def test_a_damaged_package_is_named(folder):
    store = PackageStore(folder)
    store.save(PACKAGE)
    (file,) = folder.glob("*.tar.gz")
    file.write_bytes(PACKAGE.raw[:-20])
    with pytest.raises(NodeFault, match="is damaged"):
        store.read(PACKAGE.package_id)
    other = python_package("market", "x = 2\n")
    file.write_bytes(other)
    with pytest.raises(NodeFault, match="another hash than its name"):
        store.read(PACKAGE.package_id)


def test_code_is_unpacked_once_for_each_life_of_the_peer(folder):
    store = PackageStore(folder)
    store.save(PACKAGE)
    code = store.unpacked(PACKAGE.package_id, code_files(PACKAGE))
    assert (code / "market.py").read_text(encoding="utf-8") == "x = 1\n"
    assert stat.S_IMODE((code / "market.py").stat().st_mode) == 0o600
    (code / "market.py").write_text("x = 'changed'\n", encoding="utf-8")
    again = PackageStore(folder)
    assert not code.exists()
    again.unpacked(PACKAGE.package_id, code_files(PACKAGE))
    assert (code / "market.py").read_text(encoding="utf-8") == "x = 1\n"


def test_packages_are_counted(folder, monkeypatch):
    monkeypatch.setattr("ledger.endorsement.packages.store.PACKAGES_MAX", 1)
    store = PackageStore(folder)
    store.save(PACKAGE)
    store.save(PACKAGE)
    with pytest.raises(PackageRefused, match="keeps at most 1 packages"):
        store.save(read_package(python_package("market", "x = 2\n")))

"""Set-up on a bare machine: pip's settings, index pages, the hash-checked wheel, the stamp."""

import hashlib
from pathlib import Path

import pytest

from network import bootstrap
from network.bootstrap import (
    PIP_WHEEL,
    PipSettings,
    SetupError,
    fetch_pip,
    links_at,
    links_of_page,
    pip_config_files,
    pip_wheel_places,
    read_pip_settings,
)

WHEEL = b"a wheel"


@pytest.fixture
def small_wheel(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The pinned hash is that of `WHEEL` for one test."""
    monkeypatch.setattr(bootstrap, "PIP_SHA256", hashlib.sha256(WHEEL).hexdigest())
    return WHEEL


def index_with_relative_link(folder: Path, content: bytes) -> str:
    """A file index whose page points at `../../files/`, as some mirrors do; returns its URL."""
    page = folder / "simple" / "pip" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../files/{PIP_WHEEL}#sha256=0">{PIP_WHEEL}</a>')
    (folder / "files").mkdir()
    (folder / "files" / PIP_WHEEL).write_bytes(content)
    return (folder / "simple").as_uri()


def test_without_settings_the_public_index_is_used() -> None:
    settings = read_pip_settings({}, [])
    assert settings == PipSettings(index_url="https://pypi.org/simple")


def test_the_environment_wins_over_configuration_files(tmp_path: Path) -> None:
    machine = tmp_path / "machine.conf"
    machine.write_text(
        "[global]\nindex-url = https://machine/\nextra_index_url = https://a https://b\n"
    )
    user = tmp_path / "user.conf"
    user.write_text("[global]\ncert = /user.pem\n[install]\nfind-links =\n  /one\n  /two\n")
    settings = read_pip_settings({"PIP_INDEX_URL": "https://environment/"}, [machine, user])
    assert settings.index_url == "https://environment/"
    assert settings.extra_index_urls == ("https://a", "https://b")
    assert settings.find_links == ("/one", "/two")
    assert settings.cert == "/user.pem"


def test_no_index_leaves_only_the_links() -> None:
    settings = read_pip_settings(
        {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PIP_EXTRA_INDEX_URL": "https://x"}, []
    )
    assert pip_wheel_places(settings) == ["/wheels"]


def test_configuration_files_come_weakest_first() -> None:
    files = pip_config_files({"HOME": "/h", "PIP_CONFIG_FILE": "/mine.conf"})
    assert files[-2:] == [Path("/h/.config/pip/pip.conf"), Path("/mine.conf")]
    assert pip_config_files({"HOME": "/h", "PIP_CONFIG_FILE": "/dev/null"}) == []


def test_a_broken_configuration_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "pip.conf"
    broken.write_text("no section\n")
    with pytest.raises(SetupError, match=r"pip\.conf"):
        read_pip_settings({}, [broken])


def test_relative_links_join_the_address_of_the_page() -> None:
    html = '<a href="../../files/a-1.whl#sha256=00">a</a> <a href="https://else/b%2B1.whl">b</a>'
    links = links_of_page(html, "https://index/simple/a/")
    assert [link.url for link in links] == [
        "https://index/files/a-1.whl#sha256=00",
        "https://else/b%2B1.whl",
    ]
    assert [link.file_name for link in links] == ["a-1.whl", "b+1.whl"]


def test_a_folder_without_a_page_is_listed(tmp_path: Path) -> None:
    (tmp_path / PIP_WHEEL).write_bytes(WHEEL)
    assert [link.file_name for link in links_at(str(tmp_path), PipSettings())] == [PIP_WHEEL]


def test_the_wheel_comes_from_a_file_index_with_relative_links(
    tmp_path: Path, small_wheel: bytes
) -> None:
    index = index_with_relative_link(tmp_path / "index", small_wheel)
    settings = PipSettings(index_url=None, extra_index_urls=(index,))
    wheel = fetch_pip(settings, tmp_path / "cache")
    assert wheel.read_bytes() == small_wheel
    assert fetch_pip(PipSettings(index_url=None), tmp_path / "cache") == wheel, "from the cache"


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    index = index_with_relative_link(tmp_path / "index", b"not the pinned wheel")
    with pytest.raises(SetupError, match="wrong SHA-256"):
        fetch_pip(PipSettings(index_url=index), tmp_path / "cache")
    assert not (tmp_path / "cache" / PIP_WHEEL).exists()


def test_a_damaged_cache_is_fetched_again(tmp_path: Path, small_wheel: bytes) -> None:
    index = index_with_relative_link(tmp_path / "index", small_wheel)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / PIP_WHEEL).write_bytes(b"damaged")
    assert fetch_pip(PipSettings(index_url=index), cache).read_bytes() == small_wheel


def test_when_no_place_offers_the_wheel_the_fix_is_named(tmp_path: Path) -> None:
    settings = PipSettings(index_url=None, find_links=(str(tmp_path),))
    with pytest.raises(SetupError, match="PIP_INDEX_URL"):
        fetch_pip(settings, tmp_path / "cache")


def finished_environment(root: Path) -> None:
    for name in ("requirements.lock", "pyproject.toml"):
        (root / name).write_text(name)
    (root / ".venv" / "bin").mkdir(parents=True)
    for program in ("python", "gridledger"):
        (root / ".venv" / "bin" / program).touch(mode=0o755)
    stamp = bootstrap.environment_stamp(root)
    (root / ".venv" / bootstrap.STAMP_NAME).write_text(stamp)


def test_a_finished_environment_is_left_alone(tmp_path: Path) -> None:
    finished_environment(tmp_path)
    said: list[str] = []
    bootstrap.ensure_environment(tmp_path, report=said.append)
    assert said == []


@pytest.mark.parametrize("change", ["requirements.lock", "pyproject.toml"])
def test_an_environment_of_another_lock_is_not_ready(tmp_path: Path, change: str) -> None:
    finished_environment(tmp_path)
    assert bootstrap.is_ready(tmp_path)
    (tmp_path / change).write_text("changed")
    assert not bootstrap.is_ready(tmp_path)


def test_a_moved_or_broken_environment_is_not_ready(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    finished_environment(first)
    moved = first.rename(tmp_path / "second")
    assert not bootstrap.is_ready(moved)
    moved.rename(first)
    assert bootstrap.is_ready(first)
    (first / ".venv" / "bin" / "python").unlink()
    assert not bootstrap.is_ready(first)


def test_every_locked_release_has_hashes_and_no_host_is_named() -> None:
    lock = (Path(bootstrap.__file__).parent.parent / "requirements.lock").read_text()
    entries = [block for block in lock.split("\n") if block and not block.startswith(("#", " "))]
    assert entries
    assert all("==" in entry and entry.endswith("\\") for entry in entries)
    assert "://" not in lock
    assert "--index" not in "".join(line for line in lock.split("\n") if line[:1] != "#")

"""Files of a network: private where they must be, never overwritten."""

import stat
from pathlib import Path

import pytest

from network.layout import NetworkLayout, exposed_keys, write_new, write_replacing


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_private_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    key = NetworkLayout(tmp_path / "data").member("dso").credential("peer").key
    write_new(key, b"secret", private=True)
    assert mode_of(key) == 0o600
    assert mode_of(key.parent) == 0o700


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    genesis = NetworkLayout(tmp_path).genesis_block
    write_new(genesis, b"first", private=False)
    with pytest.raises(FileExistsError):
        write_new(genesis, b"second", private=False)
    assert genesis.read_bytes() == b"first"


def test_a_generated_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "peer.json"
    write_replacing(path, b"one")
    write_replacing(path, b"two")
    assert path.read_bytes() == b"two"
    assert mode_of(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_exposed_keys_are_found(tmp_path: Path) -> None:
    layout = NetworkLayout(tmp_path)
    kept = layout.member("dso").credential("peer").key
    exposed = layout.member("dso").authority.key
    write_new(kept, b"a", private=True)
    write_new(exposed, b"b", private=True)
    assert exposed_keys(layout) == []
    exposed.chmod(0o640)
    assert exposed_keys(layout) == [exposed]


def test_members_share_no_path(tmp_path: Path) -> None:
    layout = NetworkLayout(tmp_path)
    members = [layout.member(name) for name in ("dso", "utility")]
    paths = [
        path
        for member in members
        for path in (member.peer_config, member.pid_file, member.log_file, member.ledger_dir)
    ]
    assert len(set(paths)) == len(paths)

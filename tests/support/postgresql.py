"""A PostgreSQL server of one test module, behind a socket file; as root under another user."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.runner import find_program

SERVER_USER = "nobody"
"""PostgreSQL refuses to run as root."""
STOP_TIMEOUT_S = 20
SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "max_connections=60",
    "shared_buffers=32MB",
)


def program(name: str) -> str:
    """Where it is; without it the test is skipped, and the runner's table names the package."""
    found = find_program(name)
    if found is None:
        pytest.skip("postgres is missing: apt install postgresql")
    return found


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Yields the URL of an empty database."""
    initdb, postgres = program("initdb"), program("postgres")
    folder = Path(tempfile.mkdtemp(prefix="gridledger-pg-"))
    as_user = _as_user(folder)
    data = folder / "data"
    common = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **as_user}
    try:
        subprocess.run(
            [initdb, "-D", data, "-U", "gridledger", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True,
            **common,
        )
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        server = subprocess.Popen(
            [postgres, "-D", data, "-c", f"unix_socket_directories={folder}", *options], **common
        )
        try:
            _wait_until_ready(server, folder)
            yield f"postgresql://gridledger@/postgres?host={folder}"
        finally:
            server.terminate()
            server.wait(STOP_TIMEOUT_S)
    finally:
        shutil.rmtree(folder)


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    ready = [program("pg_isready"), "-q", "-h", folder, "-U", "gridledger", "-t", "1"]
    while subprocess.run(ready, check=False).returncode != 0:
        assert server.poll() is None, "the database server ended"


def _as_user(folder: Path) -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(SERVER_USER)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}

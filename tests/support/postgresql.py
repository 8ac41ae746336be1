"""PostgreSQL servers of one test module, behind socket files; as root under another user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.runner import find_program

SERVER_USER = "nobody"
"""PostgreSQL refuses to run as root."""
DATABASE_USER = "gridledger"
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


@dataclass
class PostgresqlServer:
    """One server; its folder is also where its socket is."""

    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return url_of(self)

    def initialise(self) -> None:
        """An empty database."""
        self._run("initdb", "-D", self.data, "-U", DATABASE_USER, "-A", "trust", "--no-sync")

    def copy(self, primary: "PostgresqlServer") -> None:
        """Become a streaming replica of a running primary."""
        source = ("-h", primary.folder, "-U", DATABASE_USER)
        self._run("pg_basebackup", *source, "-D", self.data, "-R", "-X", "stream", "--no-sync")

    def start(self) -> None:
        """Return when it answers."""
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        options += ["-c", f"unix_socket_directories={self.folder}"]
        command = [program("postgres"), "-D", self.data, *options]
        self.process = subprocess.Popen(command, **self._common())
        ready = [program("pg_isready"), "-q", "-h", self.folder, "-U", DATABASE_USER, "-t", "1"]
        while subprocess.run(ready, check=False).returncode != 0:
            assert self.process.poll() is None, "the database server ended"

    def kill(self) -> None:
        """As by `kill -9`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_TIMEOUT_S)
        self.process = None

    def promote(self) -> None:
        """A replica becomes the primary; returns when it is."""
        self._run("pg_ctl", "promote", "-D", self.data, "-w", "-t", str(STOP_TIMEOUT_S))

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # SIGTERM would wait for its clients
            self.process.wait(STOP_TIMEOUT_S)

    def _run(self, name: str, *arguments: str | Path) -> None:
        subprocess.run([program(name), *arguments], check=True, **self._common())

    def _common(self) -> dict[str, object]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if os.geteuid() != 0:
            return quiet
        user = pwd.getpwnam(SERVER_USER)
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return quiet | as_user | {"cwd": self.folder}


def url_of(*servers: PostgresqlServer) -> str:
    """Of one server, or of a primary and its replicas."""
    hosts = "&".join(f"host={server.folder}" for server in servers)
    return f"postgresql://{DATABASE_USER}@/postgres?{hosts}"


@contextmanager
def _server() -> Iterator[PostgresqlServer]:
    """Not started; stopped and removed at the end."""
    server = PostgresqlServer(Path(tempfile.mkdtemp(prefix="gridledger-pg-")))
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)


@contextmanager
def running_postgresql() -> Iterator[PostgresqlServer]:
    """Yields a server with an empty database."""
    with _server() as server:
        server.initialise()
        server.start()
        yield server


@contextmanager
def running_replicated_postgresql() -> Iterator[tuple[PostgresqlServer, PostgresqlServer]]:
    """Yields a primary with an empty database, and its streaming replica."""
    with _server() as primary, _server() as replica:
        primary.initialise()
        primary.start()
        replica.copy(primary)
        replica.start()
        yield primary, replica

"""A follower of an ordering service in a process of its own (tests/follower)."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from network.layout import Credential
from tests.support.fabric_messages import REPOSITORY, program

EXIT_TIMEOUT_S = 20


class FollowingProcess:
    """Commands in, answers out; `Refused` text comes back as a RefusedBlock."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, command: str, **arguments: Any) -> Any:
        """What the follower says to a command; RefusedBlock when it refuses what it got."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": command, "with": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the follower ended with status {self._process.wait(EXIT_TIMEOUT_S)}"
        answer = json.loads(line)
        if "refused" in answer:
            raise RefusedBlock(answer["refused"])
        return answer["said"]


class RefusedBlock(Exception):  # noqa: N818 - what happened, not a mistake
    """The follower did not accept what it was sent."""


@contextmanager
def following(genesis: Path, mspid: str, credential: Credential) -> Iterator[FollowingProcess]:
    """A follower that trusts this genesis block and signs as this peer."""
    words = ("-m", "tests.follower", genesis, mspid, credential.certificate, credential.key)
    command, environment = program(*words)
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=REPOSITORY,
        text=True,
    )
    try:
        yield FollowingProcess(process)
    finally:
        process.communicate(timeout=EXIT_TIMEOUT_S)

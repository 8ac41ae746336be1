"""The real validator processes of a chaos run: started, killed, paused, started differently."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from network.layout import (
    PRIVATE_FILE_MODE,
    MemberLayout,
    NetworkLayout,
    make_private_folder,
    write_replacing,
)
from network.plan import MemberPlan, Plan
from network.running.processes import (
    ProcessId,
    peer_command,
    read_pid_file,
    reap,
    send_signal,
    start_ticks_of,
    stop_peers,
    wait_for_exit,
    wait_until_ready,
)

EXIT_TIMEOUT_S = 20.0
READY_TIMEOUT_S = 90.0
WIPES = "wipes.txt"
VOTES_AGAIN = "this validator votes again"


@dataclass(frozen=True)
class Validators:
    """All validators of one network; `prefix` of a member is put before its command."""

    plan: Plan
    layout: NetworkLayout
    prefix: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def members(self) -> tuple[MemberPlan, ...]:
        return self.plan.members

    def folder(self, member: MemberPlan) -> MemberLayout:
        return self.layout.member(member.id)

    def process(self, member: MemberPlan) -> ProcessId | None:
        return read_pid_file(self.folder(member).pid_file)

    def start(self, *members: MemberPlan, environment: Mapping[str, str] | None = None) -> None:
        """Start those that do not run; returns at once."""
        for member in members:
            if self.process(member) is None:
                self._start(member, {**os.environ, **(environment or {})})

    def _start(self, member: MemberPlan, environment: Mapping[str, str]) -> None:
        folder = self.folder(member)
        make_private_folder(folder.ledger_dir)
        command = [*self.prefix.get(member.id, ()), *peer_command(folder)]
        log = (str(folder.log_file), os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE_MODE)
        pid = os.posix_spawnp(
            command[0],
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, *log),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        record = {"pid": pid, "start_ticks": start_ticks_of(pid)}
        write_replacing(folder.pid_file, json.dumps(record).encode("ascii"))

    async def ready(self, *members: MemberPlan) -> None:
        """Wait until those accept connections."""
        pairs = [(member, self.folder(member)) for member in members]
        await asyncio.to_thread(wait_until_ready, pairs, timeout_s=READY_TIMEOUT_S)

    def signal(self, number: signal.Signals, *members: MemberPlan) -> None:
        for member in members:
            process = self.process(member)
            if process is not None:
                send_signal(process, number)

    async def kill(self, *members: MemberPlan) -> int:
        """kill -9, all at once; returns how many processes it hit, when they are gone."""
        found = [self.process(member) for member in members]
        running = [process for process in found if process is not None]
        for process in running:
            send_signal(process, signal.SIGKILL)
        await asyncio.to_thread(_await_ends, running)
        return len(running)

    async def stop(self, *members: MemberPlan) -> None:
        """SIGTERM, and wait for the end."""
        folders = [self.folder(member) for member in members or self.members]
        await asyncio.to_thread(stop_peers, folders, timeout_s=EXIT_TIMEOUT_S)


def note_wipe(validators: Validators, member: MemberPlan) -> None:
    """Remember, beside the network, that the member lost its data folder."""
    with (validators.layout.root / WIPES).open("a", encoding="ascii") as notes:
        notes.write(f"{member.id}\n")


def wipes(validators: Validators, member: MemberPlan) -> int:
    """How often the member lost its data folder so far."""
    path = validators.layout.root / WIPES
    return path.read_text(encoding="ascii").split().count(member.id) if path.exists() else 0


def returns_to_vote(validators: Validators, member: MemberPlan) -> int:
    """How often the member, an observer before, said that it votes again."""
    log = validators.folder(member).log_file.read_text(encoding="utf-8", errors="replace")
    return log.count(VOTES_AGAIN)


def _await_ends(processes: Sequence[ProcessId]) -> None:
    for process in processes:
        assert wait_for_exit(process, timeout_s=EXIT_TIMEOUT_S), f"{process.pid} does not end"
        reap(process)

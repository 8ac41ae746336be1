"""`gridledger network` with real validator processes."""

import signal
from pathlib import Path

import pytest

from ledger.storage.keyspace import block_key
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER
from network.commands.network import main
from network.running.lifecycle import down, status, up
from network.running.processes import (
    ProcessId,
    is_listening,
    read_pid_file,
    send_signal,
    wait_for_exit,
)
from tests.integration.running_network import RunningNetwork, create_test_network, running_network

pytestmark = pytest.mark.slow


def process_of(network: RunningNetwork, member_id: str) -> ProcessId:
    process = read_pid_file(network.layout.member(member_id).pid_file)
    assert process is not None
    return process


def test_two_commands_bring_four_validators_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = create_test_network(tmp_path)
    plan = f"--plan={network.plan_path}"
    try:
        assert main(["up", plan]) == 0
        assert "4 started" in capsys.readouterr().out
        assert main(["status", plan]) == 0
        rows = capsys.readouterr().out.splitlines()[1:]
        assert [row.split()[0] for row in rows] == [m.id for m in network.plan.members]
        # The genesis block, approvals and the contract's definition; one state hash on all four.
        assert len({tuple(row.split()[-2:]) for row in rows}) == 1
        assert int(rows[0].split()[-2]) >= 3
        assert main(["up", plan]) == 0
        assert "run already" in capsys.readouterr().out
    finally:
        assert main(["down", plan]) == 0
    assert [row.pid for row in status(network.plan)] == [None] * 4
    assert not any(is_listening(member.address) for member in network.plan.members)


def test_a_killed_validator_is_seen_and_started_again(tmp_path: Path) -> None:
    with running_network(tmp_path) as network:
        killed = process_of(network, "dso")
        send_signal(killed, signal.SIGKILL)
        assert wait_for_exit(killed, timeout_s=60)
        assert [row.peer.id for row in status(network.plan) if not row.listening] == ["dso"]
        assert up(network.plan) == ["dso"]
        assert process_of(network, "dso") != killed
        assert all(row.listening for row in status(network.plan))


def test_one_member_can_be_stopped_alone(tmp_path: Path) -> None:
    with running_network(tmp_path) as network:
        assert down(network.plan, ["utility"]) == ["utility"]
        assert [row.peer.id for row in status(network.plan) if row.pid is None] == ["utility"]


def test_a_second_start_on_a_taken_port_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_network(tmp_path) as network:
        network.layout.member("dso").pid_file.rename(tmp_path / "hidden")
        try:
            assert main(["up", f"--plan={network.plan_path}", "dso"]) == 1
            assert "is in use" in capsys.readouterr().err
        finally:
            (tmp_path / "hidden").rename(network.layout.member("dso").pid_file)


@pytest.mark.row("E110")
def test_a_byte_changed_in_a_stored_block_is_named_with_its_height(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = create_test_network(tmp_path)
    plan = f"--plan={network.plan_path}"
    assert main(["up", plan]) == 0
    assert main(["verify", plan]) == 1
    assert "cooperative runs" in capsys.readouterr().err
    assert main(["down", plan]) == 0
    assert main(["verify", plan]) == 0
    assert capsys.readouterr().out.count(" blocks are good") == 4

    database = LevelDbStore(network.layout.member("dso").ledger_dir / DATABASE_FOLDER)
    stored = bytearray(database.get(block_key(1)) or b"")
    stored[len(stored) // 2] ^= 1
    database.write([(block_key(1), bytes(stored))], sync=True)
    database.close()

    assert main(["verify", plan]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "DAMAGED" in line] == ["dso"]
    assert any("dso" in line and "block 1" in line for line in lines)

"""The doctor names what is wrong and the fix."""

import socket
from pathlib import Path

from network.commands.doctor import Level, check_machine, check_plan, port_holder
from network.plan import default_plan_text
from network.ports import free_port_range


def subjects(path: Path, level: Level) -> list[str]:
    return [finding.subject for finding in check_plan(path) if finding.level is level]


def plan_on_free_ports(folder: Path) -> tuple[Path, int]:
    """A plan file, and the port its first member wants."""
    text = default_plan_text()
    first = free_port_range(9)
    wanted = [*range(7051, 7055), *range(7061, 7065), 8080]
    for new, old in enumerate(wanted, start=first):
        text = text.replace(f"port = {old}\n", f"port = {new}\n")
    path = folder / "network.toml"
    path.write_text(text, encoding="utf-8")
    return path, first


def test_this_machine_can_run_a_peer() -> None:
    assert [finding for finding in check_machine(Path.cwd()) if finding.level is Level.FAULT] == []


def test_without_a_plan_the_next_step_is_named(tmp_path: Path) -> None:
    (finding,) = check_plan(tmp_path / "network.toml")
    assert finding.level is Level.NOTE
    assert finding.fix.startswith("gridledger network init")


def test_a_mistake_in_the_plan_is_a_fault(tmp_path: Path) -> None:
    path, _ = plan_on_free_ports(tmp_path)
    path.write_text(path.read_text().replace('channel = "energy"', "channel = 3"))
    assert "network.channel" in subjects(path, Level.FAULT)[0]


def test_a_port_in_use_is_named_with_its_holder_and_the_fix(tmp_path: Path) -> None:
    path, port = plan_on_free_ports(tmp_path)
    assert subjects(path, Level.FAULT) == []
    with socket.create_server(("127.0.0.1", port)):
        assert port_holder(port) is not None
        (finding,) = [found for found in check_plan(path) if found.level is Level.FAULT]
    assert f"127.0.0.1:{port} is in use by process" in finding.subject
    assert "network.toml" in finding.fix


def test_a_free_port_has_no_holder() -> None:
    assert port_holder(free_port_range(1)) is None

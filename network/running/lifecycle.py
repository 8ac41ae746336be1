"""What `gridledger network` does to a network that exists: start, stop, look, delete."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from network.founding.peer_settings import write_peer_settings
from network.layout import MemberLayout, NetworkLayout, exposed_keys, make_private_folder
from network.plan import PeerPlan, Plan, load_plan
from network.running.process_usage import resident_bytes
from network.running.processes import (
    is_listening,
    read_pid_file,
    start_peer,
    stop_peers,
    wait_until_ready,
)


class LifecycleError(Exception):
    """A command does not fit the network's state; the text says what to do."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """How one validator is."""

    peer: PeerPlan
    pid: int | None
    """None when it does not run."""
    listening: bool
    resident_bytes: int
    disk_bytes: int


def require_network(plan: Plan) -> NetworkLayout:
    """The network's folder.

    Raises when `init` has not been run, or with other members, or when keys lie open.
    """
    layout = NetworkLayout(plan.data_dir)
    if not layout.plan_copy.exists():
        raise LifecycleError(
            f"there is no network in {layout.root}; run `gridledger network init`"
        )
    if not _is_founded_as(plan, load_plan(layout.plan_copy)):
        raise LifecycleError(
            f"the network in {layout.root} was made with another name, channel or members; "
            f"{layout.plan_copy} has them"
        )
    exposed = exposed_keys(layout)
    if exposed:
        names = " ".join(str(path) for path in exposed)
        raise LifecycleError(f"others may read private keys; run: chmod 600 {names}")
    return layout


def _is_founded_as(plan: Plan, founding: Plan) -> bool:
    """Whether the plan agrees with what block 0 fixes.

    Members and peers may have been added since; other fields may change between two runs of
    `up`.
    """

    def peers(one: Plan) -> set[tuple[str, str, int]]:
        return {(peer.id, peer.mspid, peer.consenter_id) for peer in one.peers}

    same_channel = (plan.name, plan.channel_id) == (founding.name, founding.channel_id)
    return same_channel and peers(founding) <= peers(plan)


def selected(plan: Plan, peer_ids: Sequence[str]) -> tuple[PeerPlan, ...]:
    """The peers named, or all of them; a member's id names its first peer."""
    return tuple(map(plan.peer, peer_ids)) if peer_ids else plan.peers


def up(
    plan: Plan, peer_ids: Sequence[str] = (), *, on_ready: Callable[[str], None] | None = None
) -> list[str]:
    """Start the validators that do not run and wait until each accepts connections.

    Returns the ids of those started. When one fails, the others started here are stopped again.
    Raises `ProcessError` or `LifecycleError`.
    """
    layout = require_network(plan)
    started: list[tuple[PeerPlan, MemberLayout]] = []
    try:
        for peer in selected(plan, peer_ids):
            folder = layout.member(peer.id)
            if read_pid_file(folder.pid_file) is not None:
                continue
            _require_keys(peer, folder)
            _refuse_taken_ports(peer)
            write_peer_settings(plan, peer, folder)
            make_private_folder(folder.ledger_dir)
            start_peer(folder)
            started.append((peer, folder))
        wait_until_ready(started, on_ready=on_ready)
    except BaseException:
        stop_peers([folder for _, folder in started])
        raise
    return [peer.id for peer, _ in started]


def _require_keys(peer: PeerPlan, folder: MemberLayout) -> None:
    if not folder.credential("peer").certificate.exists():
        raise LifecycleError(
            f"{peer.id} has no keys yet; run: gridledger member propose add {peer.id}"
        )


def _refuse_taken_ports(peer: PeerPlan) -> None:
    for address in (peer.address, peer.validator_address):
        if is_listening(address):
            raise LifecycleError(
                f"{address}, wanted by {peer.id}, is in use; `gridledger doctor` says by whom"
            )


def down(plan: Plan, peer_ids: Sequence[str] = ()) -> list[str]:
    """Stop the validators; returns the ids of those that ran."""
    layout = NetworkLayout(plan.data_dir)
    return stop_peers([layout.member(peer.id) for peer in selected(plan, peer_ids)])


def status(plan: Plan) -> Iterator[PeerStatus]:
    """How each validator is, in the plan's order."""
    layout = require_network(plan)
    for peer in plan.peers:
        folder = layout.member(peer.id)
        process = read_pid_file(folder.pid_file)
        yield PeerStatus(
            peer=peer,
            pid=process.pid if process else None,
            listening=process is not None and is_listening(peer.address),
            resident_bytes=resident_bytes(process.pid) if process else 0,
            disk_bytes=folder_bytes(folder.ledger_dir),
        )


def folder_bytes(folder: Path) -> int:
    """Bytes in all files below a folder; files that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def reset(plan: Plan, *, delete_data: bool) -> bool:
    """Stop everything and delete the network's folder, keys and blocks; True if there was one.

    Raises `LifecycleError` unless `delete_data`, or when the folder is not a network's.
    """
    root = plan.data_dir
    if not root.exists():
        return False
    if not delete_data:
        raise LifecycleError(
            f"this deletes keys, blocks and logs in {root} for ever; add --yes-delete-data"
        )
    if not NetworkLayout(root).plan_copy.exists() and any(root.iterdir()):
        raise LifecycleError(
            f"{root} was not made by `gridledger network init`; delete it yourself"
        )
    down(plan)
    shutil.rmtree(root)
    return True


def validator_pids(plan: Plan, layout: NetworkLayout) -> list[int]:
    """Of each validator of a running network."""
    pids = []
    for peer in plan.peers:
        process = read_pid_file(layout.member(peer.id).pid_file)
        assert process is not None, f"{peer.id} runs"
        pids.append(process.pid)
    return pids

"""`gridledger network ...`: reads the plan, calls `creation` and `lifecycle`, prints."""

import argparse
import asyncio
import shlex
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from grpc.aio import AioRpcError

from ledger.errors import GridledgerError
from network.arguments import own_program
from network.chaincode.planned import commit_definitions
from network.membership.certificate_inventory import expiring
from network.plan import Plan, default_plan_text, load_plan
from network.plan_table import PlanError
from network.progress import progress
from network.running.heads import Head, heads
from network.running.lifecycle import (
    LifecycleError,
    down,
    require_network,
    reset,
    selected,
    status,
    up,
)
from network.running.observers import notice_of, release_observers, resync
from network.running.processes import ProcessError

EXIT_FAILED = 1
DEFAULT_PLAN = Path("network.toml")


def main(arguments: Sequence[str]) -> int:
    """Run one action; 1 and one line on standard error when it cannot be done."""
    from network.founding.creation import CreationError

    options = _parser().parse_args(arguments)
    action: Callable[[argparse.Namespace], int] = options.action
    try:
        return action(options)
    except TimeoutError:
        wrong = "the validators did not agree in time; `gridledger network status` shows each"
    except AioRpcError as error:
        wrong = f"a validator refused: {error.details() or error.code().name}"
    except BrokenPipeError:
        raise  # whoever reads the output has enough of it
    except OSError as error:
        wrong = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except (CreationError, GridledgerError, LifecycleError, PlanError, ProcessError) as error:
        wrong = str(error)
    print(f"gridledger network: {wrong}", file=sys.stderr)
    return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger network", description="A network of validators on this machine."
    )
    actions = parser.add_subparsers(required=True, metavar="action")

    def add(
        name: str, text: str, action: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=text, description=text)
        command.add_argument(
            "--plan",
            type=Path,
            default=DEFAULT_PLAN,
            help="the plan file (default network.toml)",
        )
        command.set_defaults(action=action)
        return command

    add("init", "make keys and the genesis block; writes a plan if there is none", _init)
    starting = add("up", "start the validators that do not run", _up)
    stopping = add("down", "stop the validators; their data stays", _down)
    verifying = add("verify", "check every block and the state of stopped validators", _verify)
    for command in (starting, stopping, verifying):
        command.add_argument("peers", nargs="*", metavar="peer", help="only these")
    resyncing = add(
        "resync", "set a stopped validator's ledger aside; it fetches all again", _resync
    )
    resyncing.add_argument("member")
    add("release-observers", "all are stopped at one block: let every observer vote", _release)
    add("status", "how each validator is; exit status 1 unless all listen", _status)
    deleting = add("reset", "stop everything and delete keys, blocks and logs", _reset)
    deleting.add_argument(
        "--yes-delete-data", action="store_true", help="without this, nothing is deleted"
    )
    return parser


def _init(options: argparse.Namespace) -> int:
    from network.founding.creation import create_network

    path: Path = options.plan
    if not path.exists():
        path.write_text(default_plan_text(), encoding="utf-8")
        print(f"wrote the plan {path}")
    plan = load_plan(path)
    with progress("making keys, certificates and the genesis block"):
        layout = create_network(plan, path.read_text(encoding="utf-8"), now=datetime.now(tz=UTC))
    for peer in plan.peers:
        print(f"  {peer.id:<14} {peer.mspid:<18} {peer.address}")
    print(f"keys, certificates and genesis block are in {layout.root}")
    named = "" if path == DEFAULT_PLAN else f" --plan {shlex.quote(str(path))}"
    print(f"next: {own_program()} network up{named}")
    return 0


def _up(options: argparse.Namespace) -> int:
    plan = load_plan(options.plan)
    address_of = {peer.id: peer.address for peer in plan.peers}

    def ready(peer_id: str) -> None:
        print(f"  {peer_id:<14} listens on {address_of[peer_id]}", flush=True)

    started = up(plan, options.peers, on_ready=ready)
    print(f"{len(started)} started" if started else "all of them run already", flush=True)
    layout = require_network(plan)
    for peer in selected(plan, options.peers):
        if notice := notice_of(layout.member(peer.id)):
            print(f"  {peer.id:<14} {notice}")
    if not options.peers:
        with progress("putting the contracts on the channel"):
            committed = asyncio.run(commit_definitions(plan, layout))
        for name in committed:
            print(f"  contract {name} is on the channel")
    return 0


def _down(options: argparse.Namespace) -> int:
    stopped = down(load_plan(options.plan), options.peers)
    print(f"stopped {', '.join(stopped)}" if stopped else "none of them ran")
    return 0


def _status(options: argparse.Namespace) -> int:
    plan: Plan = load_plan(options.plan)
    layout = require_network(plan)
    rows = list(status(plan))
    running = [row.peer for row in rows if row.pid is not None]
    answers = asyncio.run(heads(plan, layout, running))
    found = {peer.id: head for peer, head in zip(running, answers, strict=True)}
    print(
        f"{'member':<14} {'process':>8} {'address':<21} {'memory':>9} {'disk':>9} "
        f"{'height':>7}  state hash"
    )
    for row in rows:
        print(
            f"{row.peer.id:<14} {row.pid or '-':>8} {row.peer.address:<21} "
            f"{_megabytes(row.resident_bytes):>9} {_megabytes(row.disk_bytes):>9} "
            f"{_head(found.get(row.peer.id), is_running=row.pid is not None)}"
        )
        if row.pid is not None and (notice := notice_of(layout.member(row.peer.id))):
            print(f"{'':<14} {notice}")
    for line in expiring(plan, layout):
        print(line)
    return 0 if all(row.listening for row in rows) else EXIT_FAILED


def _head(head: Head | None, *, is_running: bool) -> str:
    if head is None:
        return f"{'-':>7}  {'does not answer' if is_running else 'not running'}"
    return f"{head.height:>7}  {head.state_hash.hex()[:16]}"


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB"


def _verify(options: argparse.Namespace) -> int:
    from network.running.verification import verify_member

    plan = load_plan(options.plan)
    layout = require_network(plan)
    outcome = 0
    for peer in selected(plan, options.peers):
        try:
            with progress(f"checking the blocks of {peer.id}") as report:
                height = verify_member(layout.member(peer.id), layout, report)
        except GridledgerError as error:
            print(f"  {peer.id:<14} DAMAGED: {error}")
            outcome = EXIT_FAILED
        else:
            print(f"  {peer.id:<14} {height} blocks are good")
    return outcome


def _resync(options: argparse.Namespace) -> int:
    kept = resync(load_plan(options.plan), options.member)
    print(f"the ledger is kept as {kept}; `gridledger network up` fetches the blocks again")
    return 0


def _release(options: argparse.Namespace) -> int:
    height, released = release_observers(load_plan(options.plan))
    print(f"from height {height} on these vote again: {', '.join(released) or 'none observed'}")
    return 0


def _reset(options: argparse.Namespace) -> int:
    plan = load_plan(options.plan)
    if reset(plan, delete_data=options.yes_delete_data):
        print(f"deleted {plan.data_dir}; the plan {options.plan} is kept")
    else:
        print("there is nothing to delete")
    return 0

"""Throughput, latency and cost of the whole network on this machine.

A fresh four-validator network is started, a community settled in, and the same transaction
(`market:place_offer`, endorsed under the plan's policy) submitted with 1, 64 and 256 in flight.
A transaction counts when its commit status is VALID; latency is from building the proposal to
that status. CPU is that of all processes: validators, their contract processes, and this client.
With --profile the CPU of each step is told apart instead.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import uvloop
from grpc.aio import AioRpcError

from ledger.rpc.client import CommitFailed, GatewayClient, error_details
from network.arguments import whole_number
from network.bench_community import Community, Offer
from network.bench_profile import Profile, ProfileRun, profile_table
from network.creation import create_network
from network.definitions import commit_definitions, connect
from network.layout import NetworkLayout
from network.lifecycle import LifecycleError, down, folder_bytes, up
from network.plan import Plan, default_plan_text, load_plan
from network.ports import free_port_range
from network.process_usage import cpu_seconds, usage_of_trees
from network.processes import ProcessError, read_pid_file
from network.trial_households import CHAINCODE

HOUSEHOLDS = 64
DEFAULT_LEVELS = (1, 64, 256)
DEFAULT_RUNS = 3
TRANSACTIONS_AT_ONE = 100
TRANSACTIONS_AT_MANY = 2_000
WARM_UP_TRANSACTIONS = 200
MILLISECONDS = 1_000
PORTS = 9
IN_FLIGHT_MAX, RUNS_MAX, TRANSACTIONS_MAX = 1_024, 100, 100_000
EXIT_FAILED = 1


@dataclass(frozen=True, slots=True)
class Run:
    """One level: medians over its repetitions."""

    in_flight: int
    transactions: int
    tps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms_per_tx: float
    disk_bytes_per_tx: float
    tx_per_block: float


@dataclass(frozen=True, slots=True)
class Placed:
    """One committed transaction."""

    latency_s: float
    block_number: int


@dataclass(frozen=True, slots=True)
class Report:
    """What `--json` prints."""

    runs: list[Run]
    resident_mb: dict[str, float]


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 and one line on standard error when it cannot be done."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as Ctrl-C does
    try:
        report = _in_fresh_network(options)
    except AioRpcError as error:
        said = "; ".join([error.details() or error.code().name, *error_details(error)])
        print(f"gridledger bench: {said}", file=sys.stderr)
        return EXIT_FAILED
    except (CommitFailed, LifecycleError, ProcessError, OSError) as error:
        print(f"gridledger bench: {error}", file=sys.stderr)
        return EXIT_FAILED
    text = profile_table(report) if isinstance(report, Profile) else _table(report)
    print(json.dumps(asdict(report), indent=2) if options.json else text)
    return 0


def _in_fresh_network(options: argparse.Namespace) -> Report | Profile:
    """Start a network in a temporary folder, measure, delete it."""
    with tempfile.TemporaryDirectory(prefix="gridledger-bench-") as folder:
        path = Path(folder) / "network.toml"
        path.write_text(_plan_text(), encoding="utf-8")
        plan = load_plan(path)
        layout = create_network(plan, path.read_text(encoding="utf-8"), now=datetime.now(tz=UTC))
        try:
            _progress("starting four validators")
            up(plan)
            _progress(f"registering {HOUSEHOLDS} households, placing the first offers")
            return uvloop.run(_measure(plan, layout, options))
        finally:
            down(plan)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gridledger bench", description=__doc__)
    levels = ",".join(map(str, DEFAULT_LEVELS))
    parser.add_argument(
        "--in-flight",
        type=_levels,
        default=DEFAULT_LEVELS,
        metavar="LEVELS",
        help=f"transactions at a time, one run after the other (default {levels})",
    )
    parser.add_argument(
        "--runs",
        type=whole_number(1, RUNS_MAX),
        default=DEFAULT_RUNS,
        help=f"repetitions of a level; the medians are printed (default {DEFAULT_RUNS})",
    )
    parser.add_argument(
        "--transactions",
        type=whole_number(1, TRANSACTIONS_MAX),
        default=TRANSACTIONS_AT_MANY,
        help=f"per repetition (default {TRANSACTIONS_AT_MANY}); level 1: {TRANSACTIONS_AT_ONE}",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="print what an endorsement, a validation and a block cost",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _progress(text: str) -> None:
    """What goes on, on standard error: standard output is the report alone."""
    print(f"  {text}", file=sys.stderr, flush=True)


def _levels(text: str) -> tuple[int, ...]:
    level = whole_number(1, IN_FLIGHT_MAX)
    return tuple(level(part) for part in text.split(","))


def _plan_text() -> str:
    start = free_port_range(PORTS)
    return default_plan_text(
        name="bench",
        min_interval_ms=0,
        first_peer_port=start,
        first_validator_port=start + 4,
        gateway_port=start + 8,
    )


async def _measure(
    plan: Plan, layout: NetworkLayout, options: argparse.Namespace
) -> Report | Profile:
    await commit_definitions(plan, layout)
    clients = [connect(plan, member, layout) for member in plan.members]
    try:
        community = Community(plan, layout, clients)
        await community.settle_in(HOUSEHOLDS)
        await _submit_all(clients, await community.offers(WARM_UP_TRANSACTIONS), in_flight=64)
        processes = _processes(plan, layout)
        if options.profile:
            _progress("endorsing, then ordering in few and in many blocks")
            return await ProfileRun(clients, community, processes[1:]).measure(
                options.transactions
            )
        runs = []
        for in_flight in options.in_flight:
            count = TRANSACTIONS_AT_ONE if in_flight == 1 else options.transactions
            repetitions = []
            for _ in range(options.runs):
                offers = await community.offers(count)
                repetitions.append(
                    await _run(layout, clients, offers, in_flight=in_flight, processes=processes)
                )
            runs.append(_median(repetitions))
            _progress(f"{in_flight} in flight: {runs[-1].tps:.0f} transactions per second")
        return Report(runs, _resident(plan, layout))
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def _run(
    layout: NetworkLayout,
    clients: list[GatewayClient],
    offers: list[Offer],
    *,
    in_flight: int,
    processes: list[int],
) -> Run:
    disk_before, cpu_before = folder_bytes(layout.members_dir), cpu_seconds(processes)
    started = time.perf_counter()
    placed = await _submit_all(clients, offers, in_flight=in_flight)
    elapsed_s = time.perf_counter() - started
    cpu_s = cpu_seconds(processes) - cpu_before
    disk = folder_bytes(layout.members_dir) - disk_before
    ordered = sorted(one.latency_s for one in placed)
    return Run(
        in_flight=in_flight,
        transactions=len(offers),
        tps=round(len(offers) / elapsed_s, 1),
        p50_ms=_percentile(ordered, 50),
        p95_ms=_percentile(ordered, 95),
        p99_ms=_percentile(ordered, 99),
        cpu_ms_per_tx=round(cpu_s * MILLISECONDS / len(offers), 2),
        disk_bytes_per_tx=round(disk / len(offers)),
        tx_per_block=round(len(offers) / len({one.block_number for one in placed}), 1),
    )


async def _submit_all(
    clients: list[GatewayClient], offers: list[Offer], *, in_flight: int
) -> list[Placed]:
    """Place every offer; each must be committed VALID."""
    waiting = iter(offers)
    placed: list[Placed] = []

    async def worker(client: GatewayClient) -> None:
        for offer in waiting:
            begun = time.perf_counter()
            submitted = await client.submit_transaction(
                offer.household.identity, CHAINCODE, "market:place_offer", *offer.arguments
            )
            latency_s = time.perf_counter() - begun
            placed.append(Placed(latency_s, submitted.status.block_number))

    rotation = itertools.islice(itertools.cycle(clients), in_flight)
    await asyncio.gather(*(worker(client) for client in rotation))
    return placed


def _processes(plan: Plan, layout: NetworkLayout) -> list[int]:
    """Of this client and of each validator."""
    pids = [os.getpid()]
    for peer in plan.peers:
        process = read_pid_file(layout.member(peer.id).pid_file)
        assert process is not None, f"{peer.id} runs"
        pids.append(process.pid)
    return pids


def _resident(plan: Plan, layout: NetworkLayout) -> dict[str, float]:
    """Megabytes by process: each validator and its contract processes, and this client."""
    resident = {"client": _megabytes([os.getpid()], own_only=True)}
    for peer in plan.peers:
        process = read_pid_file(layout.member(peer.id).pid_file)
        if process is not None:
            own = _megabytes([process.pid], own_only=True)
            resident[peer.id] = own
            resident[f"{peer.id} contracts"] = round(_megabytes([process.pid]) - own, 1)
    return resident


def _megabytes(roots: list[int], *, own_only: bool = False) -> float:
    usages = usage_of_trees(roots)
    chosen = [u for u in usages if not own_only or u.pid in roots]
    return round(sum(u.resident_bytes for u in chosen) / 1e6, 1)


def _median(runs: list[Run]) -> Run:
    def middle(name: str) -> float:
        values: list[float] = [getattr(run, name) for run in runs]
        return round(median(values), 2)

    return Run(
        in_flight=runs[0].in_flight,
        transactions=runs[0].transactions,
        tps=middle("tps"),
        p50_ms=middle("p50_ms"),
        p95_ms=middle("p95_ms"),
        p99_ms=middle("p99_ms"),
        cpu_ms_per_tx=middle("cpu_ms_per_tx"),
        disk_bytes_per_tx=middle("disk_bytes_per_tx"),
        tx_per_block=middle("tx_per_block"),
    )


def _percentile(ordered: list[float], percent: int) -> float:
    index = min(len(ordered) - 1, len(ordered) * percent // 100)
    return round(ordered[index] * MILLISECONDS, 1)


def _line(run: Run) -> str:
    return (
        f"{run.in_flight:>9} {run.tps:>9.1f} {run.p50_ms:>9.1f} {run.p95_ms:>9.1f} "
        f"{run.p99_ms:>9.1f} {run.cpu_ms_per_tx:>10.2f} {run.disk_bytes_per_tx:>11.0f} "
        f"{run.tx_per_block:>9.1f}"
    )


def _table(report: Report) -> str:
    head = (
        f"{'in flight':>9} {'tx/s':>9} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} "
        f"{'CPU ms/tx':>10} {'disk B/tx':>11} {'tx/block':>9}"
    )
    memory = "\n".join(f"  {name:<24} {mb:>7.1f} MB" for name, mb in report.resident_mb.items())
    lines = [head, *map(_line, report.runs), "", "resident memory", memory]
    return "\n".join(lines)

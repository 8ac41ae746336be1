"""Throughput, latency and cost of the whole network on this machine.

A fresh four-validator network is started, a community settled in, and the same transaction
(`market:place_offer`, endorsed under the plan's policy) submitted with 1, 64 and 256 in flight.
A transaction counts when its commit status is VALID; latency is from building the proposal to
that status. CPU is that of all processes: validators, their contract processes, and this client.
With --profile the CPU of each step is told apart instead. With --client node every level is run
through Fabric's Gateway SDK for Node too, in turn with our own client. `bench market` measures the
market instead (`market.py`), `bench gateway` the gateway (`gateway.py`), `bench meters` a broker
with thousands of meters (`meters.py`); those have goals, and end with 1 when one is missed.
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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from grpc.aio import AioRpcError

from ledger.client.gateway import CommitFailed, GatewayClient
from ledger.client.refusals import reasons
from network.arguments import whole_number
from network.bench.community import Community, Offer
from network.bench.node_sdk import NodeClient, NodeClientFailed
from network.bench.report import Report, Run, median_run, percentile_ms, report_table
from network.bench.step_costs import Profile, ProfileRun, profile_table
from network.bench.trial_households import CHAINCODE
from network.chaincode.planned import commit_definitions
from network.founding.creation import create_network
from network.founding.throwaway import throwaway_plan
from network.layout import NetworkLayout
from network.plan import Plan, load_plan
from network.progress import step
from network.running.clients import connect
from network.running.lifecycle import LifecycleError, down, folder_bytes, up, validator_pids
from network.running.process_usage import cpu_seconds, usage_of_trees
from network.running.processes import ProcessError, read_pid_file

HOUSEHOLDS = 64
DEFAULT_LEVELS = (1, 64, 256)
DEFAULT_RUNS = 3
TRANSACTIONS_AT_ONE = 100
TRANSACTIONS_AT_MANY = 2_000
WARM_UP_TRANSACTIONS = 200
MILLISECONDS = 1_000
IN_FLIGHT_MAX, RUNS_MAX, TRANSACTIONS_MAX = 1_024, 100, 100_000
EXIT_FAILED = 1
OWN_CLIENT, NODE_CLIENT = "python", "node"


@dataclass(frozen=True, slots=True)
class Placed:
    """One committed transaction."""

    latency_s: float
    block_number: int


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 and one line on standard error when it cannot be done."""
    if arguments[:1] == ["market"]:
        from network.bench.market import main as run_market

        return run_market(arguments[1:])
    if arguments[:1] == ["gateway"]:
        from network.bench.gateway import main as run_gateway

        return run_gateway(arguments[1:])
    if arguments[:1] == ["meters"]:
        from network.bench.meters import main as run_meters

        return run_meters(arguments[1:])
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as Ctrl-C does
    try:
        report = _in_fresh_network(options)
    except AioRpcError as error:
        said = reasons(error)
        print(f"gridledger bench: {said}", file=sys.stderr)
        return EXIT_FAILED
    except (
        CommitFailed,
        LifecycleError,
        NodeClientFailed,
        ProcessError,
        OSError,
    ) as error:
        print(f"gridledger bench: {error}", file=sys.stderr)
        return EXIT_FAILED
    text = profile_table(report) if isinstance(report, Profile) else report_table(report)
    print(json.dumps(asdict(report), indent=2) if options.json else text)
    return 0


def _in_fresh_network(options: argparse.Namespace) -> Report | Profile:
    """Start a network in a temporary folder, measure, delete it."""
    with tempfile.TemporaryDirectory(prefix="gridledger-bench-") as folder:
        path = Path(folder) / "network.toml"
        path.write_text(throwaway_plan("bench"), encoding="utf-8")
        plan = load_plan(path)
        layout = create_network(plan, path.read_text(encoding="utf-8"), now=datetime.now(tz=UTC))
        try:
            step("starting four validators")
            up(plan)
            step(f"registering {HOUSEHOLDS} households, placing the first offers")
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
        "--client",
        choices=(OWN_CLIENT, NODE_CLIENT),
        default=OWN_CLIENT,
        help="node: also through the SDK of --sdk, run by --node",
    )
    parser.add_argument(
        "--sdk",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where node_modules has @hyperledger/fabric-gateway (default: here)",
    )
    parser.add_argument("--node", default="node", metavar="PROGRAM", help="Node 22.12 or newer")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="print what an endorsement, a validation and a block cost",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _levels(text: str) -> tuple[int, ...]:
    level = whole_number(1, IN_FLIGHT_MAX)
    return tuple(level(part) for part in text.split(","))


async def _measure(
    plan: Plan, layout: NetworkLayout, options: argparse.Namespace
) -> Report | Profile:
    await commit_definitions(plan, layout)
    clients = [connect(plan, member, layout) for member in plan.members]
    try:
        community = Community(plan, layout, clients)
        await community.settle_in(HOUSEHOLDS)
        await _submit_all(clients, await community.offers(WARM_UP_TRANSACTIONS), in_flight=64)
        processes = validator_pids(plan, layout)
        if options.profile:
            step("endorsing, then ordering in few and in many blocks")
            return await ProfileRun(clients, community, processes).measure(options.transactions)
        bench = _Bench(plan, layout, clients, community, processes)
        runs = []
        for in_flight in options.in_flight:
            count = TRANSACTIONS_AT_ONE if in_flight == 1 else options.transactions
            runs += await bench.level(_places(options, bench), count, in_flight, options.runs)
        return Report(runs, _resident(plan, layout))
    finally:
        await asyncio.gather(*(client.close() for client in clients))


@dataclass(frozen=True, slots=True)
class _Spent:
    """What a client needed for some offers."""

    placed: list[Placed]
    elapsed_s: float
    client_cpu_s: float


Place = Callable[[list[Offer], int], Awaitable[_Spent]]
"""Place these offers with so many in flight."""


@dataclass(frozen=True, slots=True)
class _Bench:
    """A warm network and what is measured in it."""

    plan: Plan
    layout: NetworkLayout
    clients: list[GatewayClient]
    community: Community
    processes: list[int]

    async def level(
        self, places: Mapping[str, Place], count: int, in_flight: int, repetitions: int
    ) -> list[Run]:
        """The medians of each client; the clients take turns."""
        runs: dict[str, list[Run]] = {name: [] for name in places}
        for _ in range(repetitions):
            for name, place in places.items():
                runs[name].append(await self._run(name, place, count, in_flight))
        medians = [median_run(of_client) for of_client in runs.values()]
        for one in medians:
            step(f"{in_flight} in flight, {one.client}: {one.tps:.0f} transactions per second")
        return medians

    async def _run(self, name: str, place: Place, count: int, in_flight: int) -> Run:
        offers = await self.community.offers(count)
        disk_before, cpu_before = (
            folder_bytes(self.layout.members_dir),
            cpu_seconds(self.processes),
        )
        spent = await place(offers, in_flight)
        cpu_s = cpu_seconds(self.processes) - cpu_before + spent.client_cpu_s
        disk = folder_bytes(self.layout.members_dir) - disk_before
        ordered = sorted(one.latency_s for one in spent.placed)
        return Run(
            client=name,
            in_flight=in_flight,
            transactions=count,
            tps=round(count / spent.elapsed_s, 1),
            p50_ms=percentile_ms(ordered, 50),
            p95_ms=percentile_ms(ordered, 95),
            p99_ms=percentile_ms(ordered, 99),
            cpu_ms_per_tx=round(cpu_s * MILLISECONDS / count, 2),
            client_cpu_ms_per_tx=round(spent.client_cpu_s * MILLISECONDS / count, 2),
            disk_bytes_per_tx=round(disk / count),
            tx_per_block=round(count / len({one.block_number for one in spent.placed}), 1),
        )

    async def with_our_client(self, offers: list[Offer], in_flight: int) -> _Spent:
        """`Place` of this program's own client."""
        started = time.perf_counter()
        cpu_before = time.process_time()
        placed = await _submit_all(self.clients, offers, in_flight=in_flight)
        cpu_s = time.process_time() - cpu_before
        return _Spent(placed, time.perf_counter() - started, cpu_s)


def _places(options: argparse.Namespace, bench: _Bench) -> dict[str, Place]:
    places: dict[str, Place] = {OWN_CLIENT: bench.with_our_client}
    if options.client == NODE_CLIENT:
        node = NodeClient(options.node, options.sdk, bench.plan, bench.layout)

        async def with_node(offers: list[Offer], in_flight: int) -> _Spent:
            run = await node.place(offers, in_flight=in_flight)
            placed = [Placed(latency_s, number) for latency_s, number in run.placed]
            return _Spent(placed, run.elapsed_s, run.cpu_s)

        places[NODE_CLIENT] = with_node
    return places


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

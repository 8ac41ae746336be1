"""The gateway's figures: a rush before the gate, open streams, and a rebuilt read model.

A fresh four-validator network with a gateway is started and households are registered. Then

* households place signed orders, spread over the last seconds before the gate of a listing, each
  from an address of its own; counted until the block that holds the order is on the gateway;
* a household sells in the hours of a month, and its home page is opened in a browser (`page.py`);
* many streams of events are kept open, while the gateway's memory is read and a block must reach
  every one of them;
* transactions are placed until there are enough, and the read model is dropped and rebuilt.

Every part runs in processes of its own on this machine; the figures include all of them.
"""

import argparse
import asyncio
import json
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvloop
from grpc.aio import AioRpcError

from ledger.client.gateway import CommitFailed
from ledger.client.refusals import reasons
from network.arguments import whole_number
from network.bench.gateway_process import GatewayFailed, running_gateway
from network.bench.gateway_rush import GateRush, Market
from network.bench.month import idgrid_of_the_month
from network.bench.page import (
    CPU_SLOWED,
    FIRST_CONTENTFUL_PAINT_MS_MAX,
    WEIGHT_BYTES_MAX,
    PageFigures,
    measured_page,
)
from network.bench.trial_households import CHAINCODE, MANAGER_MEMBER
from network.certificates.credentials import member_authority, write_pair
from network.chaincode.planned import commit_definitions
from network.founding.creation import create_network
from network.founding.throwaway import throwaway_plan
from network.layout import NetworkLayout
from network.plan import Plan, load_plan
from network.progress import step
from network.running.lifecycle import LifecycleError, down, up
from network.running.process_usage import usage_of_trees
from network.running.processes import ProcessError

HOUSEHOLDS, STREAMS, TRANSACTIONS = 200, 500, 10_000
HOUSEHOLDS_MAX, STREAMS_MAX, TRANSACTIONS_MAX = 1_000, 900, 100_000
ORDER_TARGET_MS, STREAMS_TARGET_MB, REBUILD_TARGET_S = 2_000.0, 300.0, 30.0
EXIT_FAILED = 1
HOUR_MS = 3_600_000
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class OpenStreams:
    """Memory of the gateway's process, before and while the streams are open."""

    streams: int
    before_mb: float
    open_mb: float
    reached: int
    """Streams that were told of a block."""


@dataclass(frozen=True, slots=True)
class RebuiltModel:
    """How long the read model took from block 0."""

    blocks: int
    transactions: int
    elapsed_s: float
    cpu_s: float
    """Of the rebuilding process; the peer that delivers the blocks is not in it."""


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """What `--json` prints."""

    rush: GateRush
    streams: OpenStreams
    page: PageFigures | None
    """None where there is no browser."""
    rebuilt: RebuiltModel


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in words, and whether its goal is met."""

    text: str
    is_met: bool | None
    """None: it was not measured."""


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 when a goal is missed or, with a line of error, it cannot be done."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as Ctrl-C does
    try:
        report = _in_fresh_network(options)
    except AioRpcError as error:
        return _failed(reasons(error))
    except (CommitFailed, LifecycleError, ProcessError, GatewayFailed, OSError) as error:
        return _failed(str(error))
    print(json.dumps(asdict(report), indent=2) if options.json else report_table(report))
    return 0 if all(figure.is_met for figure in figures(report)) else EXIT_FAILED


def report_table(report: GatewayReport) -> str:
    """For people: each figure beside its goal."""
    return "\n".join(figure.text + _verdict(figure.is_met) for figure in figures(report))


def figures(report: GatewayReport) -> tuple[Figure, ...]:
    """All of them, in the order they are told."""
    rush, streams, rebuilt = report.rush, report.streams, report.rebuilt
    refused = ", ".join(f"{count} {code}" for code, count in sorted(rush.refused.items()))
    orders = (
        f"orders in the last {rush.window_s:.0f} s before the gate: {rush.orders},"
        f" accepted {rush.accepted}, refused {refused or 'none'}, lost {rush.lost}"
    )
    speed = (
        f"  from the wish to the ledger: median {rush.p50_ms:.0f} ms, p95 {rush.p95_ms:.0f} ms"
        f" (goal {ORDER_TARGET_MS:.0f} ms)"
    )
    memory = (
        f"{streams.streams} open event streams: {streams.open_mb:.0f} MB"
        f" (before {streams.before_mb:.0f} MB, goal {STREAMS_TARGET_MB:.0f} MB)"
    )
    told = f"  a block reached {streams.reached} of them"
    model = (
        f"read model rebuilt from {rebuilt.transactions} transactions in {rebuilt.blocks} blocks:"
        f" {rebuilt.elapsed_s:.1f} s, {rebuilt.cpu_s:.1f} s of CPU"
        f" (goal {REBUILD_TARGET_S:.0f} s)"
    )
    return (
        Figure(orders, rush.lost == 0),
        Figure(speed, 0 < rush.p95_ms < ORDER_TARGET_MS),
        Figure(memory, streams.open_mb < STREAMS_TARGET_MB),
        Figure(told, streams.reached == streams.streams),
        *page_figures(report.page),
        Figure(model, rebuilt.elapsed_s < REBUILD_TARGET_S),
    )


def page_figures(page: PageFigures | None) -> tuple[Figure, ...]:
    """The two figures of the home page."""
    if page is None:
        missing = "home page: not measured, chromium is missing (apt install chromium)"
        return (Figure(missing, None),)
    paint_ms, weight = page.first_contentful_paint_ms, page.weight_bytes
    first = (
        f"home page: first paint after {paint_ms:.0f} ms with the processor slowed"
        f" {CPU_SLOWED} times (goal {FIRST_CONTENTFUL_PAINT_MS_MAX} ms)"
    )
    second = (
        f"  {weight / 1000:.1f} kB in {page.requests} responses"
        f" (goal {WEIGHT_BYTES_MAX / 1000:.0f} kB)"
    )
    return (
        Figure(first, paint_ms < FIRST_CONTENTFUL_PAINT_MS_MAX),
        Figure(second, weight < WEIGHT_BYTES_MAX),
    )


def _verdict(is_met: bool | None) -> str:  # noqa: FBT001
    if is_met is None:
        return ""
    return " — met" if is_met else " — NOT MET"


def _in_fresh_network(options: argparse.Namespace) -> GatewayReport:
    with tempfile.TemporaryDirectory(prefix="gridledger-bench-") as folder:
        path = Path(folder) / "network.toml"
        text = throwaway_plan("bench-gateway")
        path.write_text(text, encoding="utf-8")
        plan = load_plan(path)
        layout = create_network(plan, text, now=datetime.now(tz=UTC))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        settings = write_gateway_settings(plan, layout, Path(folder), token=token)
        try:
            step("starting four validators")
            up(plan)
            uvloop.run(_deploy(plan, layout))
            with running_gateway(plan, settings) as process:
                return _measure(plan, layout, process, options, settings, token)
        finally:
            down(plan)


async def _deploy(plan: Plan, layout: NetworkLayout) -> None:
    await commit_definitions(plan, layout)


def write_gateway_settings(plan: Plan, layout: NetworkLayout, folder: Path, *, token: str) -> Path:
    """A gateway's settings for this network, with an identity of its own.

    `token` is a login link of the household with a month behind it.
    """
    place = layout.wallet("gateway")
    authority = member_authority(plan, MANAGER_MEMBER, layout)
    now = datetime.now(tz=UTC)
    write_pair(place, authority.issue_client("gateway", {"role": "auditor"}, now=now))
    settings = folder / "gateway.json"
    content: dict[str, Any] = {
        "host": plan.gateway_host,
        "port": plan.gateway_port,
        "ledger": {
            "channel_id": plan.channel_id,
            "chaincode": CHAINCODE,
            "tls_ca": str(layout.tls_ca_bundle),
            "genesis": str(layout.genesis_block),
            "peers": [{"mspid": m.mspid, "address": m.address} for m in plan.members],
        },
        "identity": {
            "mspid": authority.mspid,
            "certificate": str(place.certificate),
            "key": str(place.key),
        },
        "community": {
            "id": "bench",
            "name": "Bench",
            "hour_ms": HOUR_MS,
            "utc_offset_minutes": 0,
        },
        "links": [{"token": token, "idgrid": idgrid_of_the_month(), "is_manager": False}],
    }
    settings.write_text(json.dumps(content), encoding="utf-8")
    settings.chmod(0o600)
    return settings


def _measure(
    plan: Plan,
    layout: NetworkLayout,
    process: subprocess.Popen[bytes],
    options: argparse.Namespace,
    settings: Path,
    token: str,
) -> GatewayReport:
    url = f"http://{plan.gateway_host}:{plan.gateway_port}"
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        step(f"registering {options.households} households")
        market = runner.run(Market.open(plan, layout))
        runner.run(market.settle_in(options.households))
        try:
            step("orders in the last seconds before the gate")
            rush = runner.run(market.rush(url))
            step("a household's month, hour by hour")
            runner.run(market.live_through_a_month())
            step("opening the home page in a browser")
            page = _home_page(url, token)
            step(f"opening {options.streams} streams")
            streams = _streams(
                url, process, options.streams, lambda: runner.run(market.one_more())
            )
            step(f"placing orders until there are {options.transactions} transactions")
            runner.run(market.fill(options.transactions))
        finally:
            runner.run(market.close())
    step("rebuilding the read model")
    return GatewayReport(rush, streams, page, _rebuilt(settings))


def _home_page(url: str, token: str) -> PageFigures | None:
    """Of a household that has sold every hour of a month."""
    if shutil.which("chromium") is None or find_spec("playwright") is None:
        return None
    return measured_page(f"{url}/", sign_in=f"{url}/login/{token}")


def _streams(
    url: str, process: subprocess.Popen[bytes], count: int, make_block: Any
) -> OpenStreams:
    before_mb = _megabytes(process.pid)
    with _stream_clients(url, count) as clients:
        clients.read()
        open_mb = _megabytes(process.pid)
        clients.write()
        make_block()
        reached = clients.read()["had_event"]
        open_mb = max(open_mb, _megabytes(process.pid))
    return OpenStreams(count, before_mb, open_mb, reached)


class _Clients:
    """The process with the clients: a line in, a line out."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self) -> dict[str, int]:
        """Its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise GatewayFailed("the clients of the streams ended")
        found: dict[str, int] = json.loads(line)
        return found

    def write(self) -> None:
        """Ask for the next count."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()


@contextmanager
def _stream_clients(url: str, count: int) -> Iterator[_Clients]:
    command = [sys.executable, "-P", "-m", "gateway.measuring.open_streams", url, str(count)]
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _Clients(process)
        finally:
            process.terminate()


def _rebuilt(settings: Path) -> RebuiltModel:
    """Into a database of its own, while validators and gateway run."""
    content = json.loads(settings.read_text(encoding="utf-8"))
    again = settings.with_name("rebuilt.json")
    again.write_text(
        json.dumps(content | {"database": f"sqlite:///{settings.with_name('rebuilt.db')}"})
    )
    again.chmod(0o600)
    command = [sys.executable, "-P", "-m", "gateway.readmodel.command"]
    command += ["rebuild", "--config", str(again)]
    started, cpu_before_s = time.perf_counter(), _children_cpu_s()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    elapsed_s = time.perf_counter() - started
    if done.returncode:
        raise GatewayFailed(f"the rebuild failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    words = done.stdout.strip().splitlines()[-1].split()
    cpu_s = round(_children_cpu_s() - cpu_before_s, 1)
    return RebuiltModel(int(words[0]), int(words[3]), round(elapsed_s, 1), cpu_s)


def _children_cpu_s() -> float:
    """Of processes of ours that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _megabytes(pid: int) -> float:
    return round(sum(usage.resident_bytes for usage in usage_of_trees([pid])) / 1e6, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gridledger bench gateway", description=__doc__)
    parser.add_argument("--households", type=whole_number(2, HOUSEHOLDS_MAX), default=HOUSEHOLDS)
    parser.add_argument("--streams", type=whole_number(1, STREAMS_MAX), default=STREAMS)
    parser.add_argument(
        "--transactions",
        type=whole_number(1, TRANSACTIONS_MAX),
        default=TRANSACTIONS,
        help=f"to rebuild from (default {TRANSACTIONS})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _failed(why: str) -> int:
    print(f"gridledger bench gateway: {why}", file=sys.stderr)
    return EXIT_FAILED

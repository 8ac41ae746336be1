"""The market's speed: the price rule beside NumPy, then a big hour on a running network.

Part one is pure CPU. Part two starts four validators in a temporary folder, registers the
households (the longest part), lets all of them trade, and times two things end to end: closing
and clearing the listing, and settling the hour after its readings are in.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from grpc.aio import AioRpcError

from ledger.client.gateway import CommitFailed
from ledger.client.refusals import reasons
from network.arguments import whole_number
from network.bench.auction import ClearedBook
from network.bench.clearing import ClearingTime, clearing_table, measure_clearing
from network.bench.hour import BigHour
from network.bench.settlement import SettledHour
from network.chaincode.planned import commit_definitions
from network.founding.creation import create_network
from network.founding.throwaway import throwaway_plan
from network.layout import NetworkLayout
from network.plan import Plan, load_plan
from network.progress import step
from network.running.clients import connect
from network.running.lifecycle import LifecycleError, down, up
from network.running.processes import ProcessError

HOUSEHOLDS, ORDERS_EACH = 2_000, 5
HOUSEHOLDS_MAX, ORDERS_EACH_MAX = 5_000, 20
CLEARING_TARGET_S, SETTLING_TARGET_S = 5.0, 10.0
EXIT_FAILED = 1


@dataclass(frozen=True, slots=True)
class MarketReport:
    """What `--json` prints; the network's parts are None with --no-network."""

    clearing: list[ClearingTime]
    cleared: ClearedBook | None
    settled: SettledHour | None

    @property
    def is_met(self) -> bool:
        """Whether everything that was measured met its goal."""
        return (
            all(one.is_met for one in self.clearing)
            and (self.cleared is None or self.cleared.total_s < CLEARING_TARGET_S)
            and (self.settled is None or self.settled.total_s < SETTLING_TARGET_S)
        )


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 when a goal is missed or, with a line of error, it cannot be done."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as Ctrl-C does
    try:
        report = _measured(options)
    except ImportError:
        return _failed("NumPy is not installed: pip install numpy")
    except AioRpcError as error:
        return _failed(reasons(error))
    except (CommitFailed, LifecycleError, ProcessError, OSError) as error:
        return _failed(str(error))
    print(json.dumps(asdict(report), indent=2) if options.json else report_table(report))
    return 0 if report.is_met else EXIT_FAILED


def report_table(report: MarketReport) -> str:
    """For people."""
    lines = [clearing_table(report.clearing)]
    if report.cleared is not None:
        book = report.cleared
        lines.append("")
        lines.append(
            f"closing and clearing {book.orders} orders on four validators:"
            f" {_seconds(book.total_s, book.cpu_s, CLEARING_TARGET_S)},"
            f" {book.transactions} transactions, {book.pages} pages;"
            f" closed after {book.close_s:.2f} s, decided after {book.decide_s:.2f} s"
        )
    if report.settled is not None:
        hour = report.settled
        lines.append(
            f"settling the hour of {hour.households} households:"
            f" {_seconds(hour.total_s, hour.cpu_s, SETTLING_TARGET_S)}, {hour.pages} pages;"
            f" decided after {hour.decide_s:.2f} s"
        )
    return "\n".join(lines)


def _seconds(wall_s: float, cpu_s: float, target_s: float) -> str:
    """By the clock, of CPU in all processes on this machine, and whether the goal is met."""
    verdict = "met" if wall_s < target_s else "missed"
    return f"{wall_s:.2f} s (goal {target_s:g} s: {verdict}; {cpu_s:.2f} s CPU)"


def _measured(options: argparse.Namespace) -> MarketReport:
    step("clearing books of several sizes")
    clearing = measure_clearing()
    if options.no_network:
        return MarketReport(clearing, None, None)
    with tempfile.TemporaryDirectory(prefix="gridledger-bench-") as folder:
        path = Path(folder) / "network.toml"
        path.write_text(throwaway_plan("bench"), encoding="utf-8")
        plan = load_plan(path)
        layout = create_network(plan, path.read_text(encoding="utf-8"), now=datetime.now(tz=UTC))
        try:
            step("starting four validators")
            up(plan)
            cleared, settled = uvloop.run(_hour(plan, layout, options))
        finally:
            down(plan)
    return MarketReport(clearing, cleared, settled)


async def _hour(
    plan: Plan, layout: NetworkLayout, options: argparse.Namespace
) -> tuple[ClearedBook, SettledHour]:
    await commit_definitions(plan, layout)
    clients = [connect(plan, member, layout) for member in plan.members]
    try:
        hour = BigHour(plan, layout, clients, name="market", orders_each=options.orders_each)
        step(f"registering {options.households} households")
        await hour.settle_in(options.households)
        return await hour.settle(step)
    finally:
        await asyncio.gather(*(client.close() for client in clients))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gridledger bench market", description=__doc__)
    parser.add_argument(
        "--households",
        type=whole_number(2, HOUSEHOLDS_MAX),
        default=HOUSEHOLDS,
        help=f"who trade on the network (default {HOUSEHOLDS})",
    )
    parser.add_argument(
        "--orders-each",
        type=whole_number(1, ORDERS_EACH_MAX),
        default=ORDERS_EACH,
        help=f"orders of each household (default {ORDERS_EACH})",
    )
    parser.add_argument(
        "--no-network", action="store_true", help="only the price rule beside NumPy"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _failed(text: str) -> int:
    print(f"gridledger bench market: {text}", file=sys.stderr)
    return EXIT_FAILED

"""`gridledger demo`: a four-member community that trades on real household data, in one command.

Makes a network in a folder of its own, starts its four validators, the gateway and the community's
people (`gateway.demo_runner`) as separate processes, shows the market day as it happens and
prints what must hold at the end: energy, money, and one state hash on all four peers.
"""

import argparse
import asyncio
import contextlib
import json
import math
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from grpc.aio import AioRpcError

from network.arguments import own_program, whole_number
from network.chaincode.planned import commit_definitions
from network.demo.settings_files import (
    FIRST_DAY,
    HOME_MEMBER,
    HOUSEHOLDS_MAX,
    LAST_DAY,
    LOOPBACK,
    DemoFiles,
    DemoPorts,
    household_label,
    write_demo_files,
)
from network.demo.summary import summary_lines
from network.founding.creation import create_network
from network.founding.throwaway import throwaway_plan
from network.layout import NetworkLayout
from network.plan import Plan, load_plan
from network.ports import free_port_range
from network.running.heads import Head, heads
from network.running.lifecycle import LifecycleError, down, up
from network.running.processes import ProcessError, end_child, is_listening

PLAN_FILE = "network.toml"
DEFAULT_HOURS = 6
HOURS_MAX = 8_760
HOURS_PER_DAY = 24
DEFAULT_HOUR_SECONDS = 6.0
HOUR_SECONDS_MIN, HOUR_SECONDS_MAX = 3.0, 3_600.0
GATEWAY_READY_TIMEOUT_S = 60.0
PROBE_INTERVAL_S = 0.05
SAME_HEIGHT_TIMEOUT_S = 60.0
PEOPLE_LEAVE_TIMEOUT_S = 30.0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Running:
    """A demo that is up."""

    plan: Plan
    layout: NetworkLayout
    files: DemoFiles


class DemoError(Exception):
    """The demo cannot go on; the text says why and where to look."""


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 when everything that must hold holds."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    folder = _folder(options.keep)
    try:
        with _network(folder, options) as running, _authority(running), _gateway(running):
            _greet(running, folder, started, options)
            with _people(running, stays=not options.exit) as people:
                _wait_for_report(running, people)
                status = _sum_up(running, started)
                if not options.exit:
                    status = max(status, _stay(running, people))
            return status
    except KeyboardInterrupt:
        print("\n  stopping", flush=True)
        return EXIT_INTERRUPTED
    except (DemoError, LifecycleError, ProcessError, OSError, AioRpcError) as error:
        print(f"gridledger demo: {error}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger demo",
        description="Four members, four validators, real homes, one hourly energy market.",
    )
    parser.add_argument(
        "--hours",
        type=whole_number(1, HOURS_MAX),
        default=DEFAULT_HOURS,
        help=f"market hours to run (default {DEFAULT_HOURS})",
    )
    parser.add_argument(
        "--households",
        type=whole_number(2, HOUSEHOLDS_MAX),
        default=HOUSEHOLDS_MAX,
        help=f"2 to {HOUSEHOLDS_MAX} homes of the data set (default all)",
    )
    parser.add_argument(
        "--day",
        type=_day,
        help=f"replay a day, {FIRST_DAY} to {LAST_DAY}, and compare the charts with the data set",
    )
    parser.add_argument(
        "--exit",
        action="store_true",
        help="end after the summary; otherwise the page stays until Ctrl-C",
    )
    parser.add_argument(
        "--keep", metavar="FOLDER", type=Path, help="keep keys, blocks and logs in this new folder"
    )
    parser.add_argument(
        "--port", type=whole_number(1, 65535), help="port of the web page (default a free one)"
    )
    parser.add_argument(
        "--tls", action="store_true", help="HTTPS, from an authority made for it (see /trust)"
    )
    parser.add_argument(
        "--hour-seconds",
        type=_hour_seconds,
        default=DEFAULT_HOUR_SECONDS,
        help=f"real seconds per market hour (default {DEFAULT_HOUR_SECONDS:g})",
    )
    return parser


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day like {FIRST_DAY}") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise argparse.ArgumentTypeError(f"{day} is not between {FIRST_DAY} and {LAST_DAY}")
    return day


def _hour_seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not HOUR_SECONDS_MIN <= value <= HOUR_SECONDS_MAX:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not between {HOUR_SECONDS_MIN:g} and {HOUR_SECONDS_MAX:g}"
        )
    return value


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="gridledger-demo-"))
    if keep.exists() and not keep.is_dir():
        raise SystemExit(f"gridledger demo: {keep} is a file, not a folder")
    if keep.exists() and any(keep.iterdir()):
        raise SystemExit(f"gridledger demo: {keep} is not empty and is never overwritten")
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


@contextlib.contextmanager
def _network(folder: Path, options: argparse.Namespace) -> Iterator[Running]:
    """The four validators, with the contracts on the channel; stopped at the end."""
    _say("making four members, their keys and the first block")
    path = folder / PLAN_FILE
    text = throwaway_plan("demo", gateway_port=options.port, data_dir="network")
    path.write_text(text, encoding="utf-8")
    plan = load_plan(path)
    now = datetime.now(tz=UTC)
    free_ports = free_port_range(len(("broker", "mail")))
    layout = create_network(plan, text, now=now)
    files = write_demo_files(
        plan,
        layout,
        folder=folder,
        households=options.households,
        hours=options.hours if options.day is None else HOURS_PER_DAY,
        hour_ms=round(options.hour_seconds * 1000),
        day=options.day,
        ports=DemoPorts(broker=free_ports, mail=free_ports + 1),
        has_tls=options.tls,
        now=now,
    )
    _say("starting four validators")
    try:
        up(plan)
        asyncio.run(commit_definitions(plan, layout))
        yield Running(plan, layout, files)
    finally:
        down(plan)


@contextlib.contextmanager
def _authority(running: Running) -> Iterator[None]:
    """The cooperative's authority, for households that join through the page."""
    process = subprocess.Popen(  # noqa: S603 - our own module
        [
            *_module("network.cli", "cert", "serve", HOME_MEMBER),
            *("--socket", str(running.files.authority_socket)),
            *("--plan", str(running.plan.data_dir.parent / PLAN_FILE)),
        ],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        end_child(process)


@contextlib.contextmanager
def _gateway(running: Running) -> Iterator[None]:
    """The gateway process, answering; stopped at the end."""
    address = f"{running.plan.gateway_host}:{running.plan.gateway_port}"
    if is_listening(address):
        raise DemoError(f"{address} is in use; choose another with --port")
    with running.files.gateway_log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            _module("gateway.server", "--config", running.files.gateway_settings),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_until_listening(address, process, running.files.gateway_log)
            yield
        finally:
            end_child(process)


def _wait_until_listening(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + GATEWAY_READY_TIMEOUT_S
    while not is_listening(address):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PROBE_INTERVAL_S)
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            raise DemoError("the gateway ended:\n" + "\n".join(tail))
        if time.monotonic() > deadline:
            raise DemoError(f"the gateway does not listen on {address}; its log is {log}")


def _greet(running: Running, folder: Path, started: float, options: argparse.Namespace) -> None:
    url = _address(running)
    _say(f"ready after {time.monotonic() - started:.1f} s")
    print(f"\n  web page    {url}/")
    print(f"  household   {url}/login/{running.files.household_token}   ({household_label()})")
    print(f"  manager     {url}/login/{running.files.manager_token}")
    print(f"  e-mails     {running.files.mail_folder}/   (what the gateway sends, a file each)")
    home = running.files.home_automation
    print(f"  home data   MQTT over TLS on {home.host}:{home.port}, authority {home.ca},")
    print(f"              user and client id {home.user}, password {home.token}")
    print(f"  watch it    {own_program()} top --plan {shlex.quote(str(folder / PLAN_FILE))}")
    if options.keep:
        print(f"  kept in     {folder}")
    print(flush=True)


def _address(running: Running) -> str:
    """For a browser: passkeys belong to a name, so not to 127.0.0.1."""
    return running.files.url.replace(LOOPBACK, "localhost")


@contextlib.contextmanager
def _people(running: Running, *, stays: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Everyone but ledger and gateway, in a process of its own that shares this terminal."""
    settings, report = running.files.demo_settings, running.files.report
    command = _module("gateway.demo_runner", "--config", settings, "--report", report)
    process = subprocess.Popen([*command, *(["--stay"] if stays else [])])  # noqa: S603 - ours
    try:
        yield process
        if not stays:
            process.wait(PEOPLE_LEAVE_TIMEOUT_S)
    finally:
        end_child(process)


def _wait_for_report(running: Running, people: subprocess.Popen[bytes]) -> None:
    """Until the market day is over, or its people have ended without a report."""
    while not running.files.report.exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            people.wait(PROBE_INTERVAL_S)
            return


def _sum_up(running: Running, started: float) -> int:
    """Print the summary; 1 when something that must hold does not."""
    if not running.files.report.exists():
        return EXIT_FAILED
    report = json.loads(running.files.report.read_text(encoding="utf-8"))
    found = asyncio.run(_heads_at_one_height(running))
    lines, problems = summary_lines(report, found, seconds=time.monotonic() - started)
    print("\n".join(lines), flush=True)
    for problem in problems:
        print(f"NOT AS IT MUST BE: {problem}", file=sys.stderr)
    return EXIT_FAILED if problems else 0


async def _heads_at_one_height(running: Running) -> dict[str, Head | None]:
    """Every validator's head; a little patience for the last block to arrive everywhere."""
    deadline = time.monotonic() + SAME_HEIGHT_TIMEOUT_S
    while True:
        found = await heads(running.plan, running.layout)
        heights = {head.height if head else None for head in found}
        if len(heights) == 1 or time.monotonic() > deadline:
            names = [member.name for member in running.plan.members]
            return dict(zip(names, found, strict=True))
        await asyncio.sleep(PROBE_INTERVAL_S)


def _stay(running: Running, people: subprocess.Popen[bytes]) -> int:
    """Devices go on and the page stays until Ctrl-C; what the people leave behind if they fail."""
    print(f"\nthe page stays at {_address(running)}/, its devices go on, until Ctrl-C", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        people.wait()
        raise DemoError("the demo's people have ended")
    return 0


def _module(name: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-P", "-m", name, *(str(argument) for argument in arguments)]


def _interrupt(_number: int, _frame: object) -> None:
    """SIGTERM cleans up as Ctrl-C does."""
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"  {text}", flush=True)

"""`gridledger top`: looks every other second until q or Ctrl-C; once where no terminal is."""

import argparse
import asyncio
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.live import Live

from network.arguments import whole_number
from network.plan import load_plan
from network.plan_table import PlanError
from network.running.lifecycle import LifecycleError
from network.top.gateway import (
    GatewayAddress,
    GatewayUnreachableError,
    GatewayWatch,
    address_beside,
)
from network.top.picture import lines, tables
from network.top.snapshot import GatewayState, Snapshot, ValidatorState
from network.top.validators import ValidatorWatch

DEFAULT_PLAN = Path("network.toml")
INTERVAL_S_DEFAULT, INTERVAL_S_MAX = 2, 60
CPU_SPAN_S = 0.3
"""Between two looks at what processes have used, for a single picture."""
TOKEN_VARIABLE = "GRIDLEDGER_TOKEN"  # noqa: S105 - the variable's name
QUIT_KEYS = ("q", "Q")
EPILOG = f"""
Meters are shown with a token in {TOKEN_VARIABLE} (scope community:read), or with the watch_token
of a gateway.json beside the plan, as the demo has it.
"""
EXIT_FAILED = 1


class Watch:
    """Everything that is looked at."""

    def __init__(
        self, name: str, validators: ValidatorWatch | None, gateway: GatewayWatch
    ) -> None:
        self._name = name
        self._validators = validators
        self._gateway = gateway

    async def look(self) -> Snapshot:
        """The validators and the gateway, both at once."""
        now_ms = time.time_ns() // 1_000_000
        (gateway, problem), validators = await asyncio.gather(
            self._look_at_gateway(now_ms), self.look_at_validators()
        )
        return Snapshot(now_ms, self._name, validators, gateway, problem)

    async def look_at_validators(self) -> tuple[ValidatorState, ...]:
        """None of them without a plan."""
        return await self._validators.look() if self._validators is not None else ()

    async def close(self) -> None:
        """End connections."""
        await self._gateway.close()

    async def _look_at_gateway(self, now_ms: int) -> tuple[GatewayState | None, str]:
        try:
            return await self._gateway.look(now_ms), ""
        except GatewayUnreachableError as error:
            return None, str(error)


def main(arguments: Sequence[str]) -> int:
    """Show it; 1 and one line on standard error when nothing runs."""
    options = _parser().parse_args(arguments)
    is_live = sys.stdin.isatty() and sys.stdout.isatty() and not options.once
    try:
        watch = _watch(options)
        return asyncio.run(_live(watch, options.interval) if is_live else _once(watch))
    except KeyboardInterrupt:
        return 0
    except (LifecycleError, PlanError, OSError, ValueError) as error:
        print(f"gridledger top: {error}", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger top",
        description="A running network, its market and its meters, until q or Ctrl-C.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--plan", type=Path, default=None, help="the network's plan (default network.toml)"
    )
    parser.add_argument("--gateway", metavar="URL", help="a gateway elsewhere than the plan says")
    parser.add_argument("--ca", type=Path, help="the authority of the gateway's certificate, PEM")
    parser.add_argument("--once", action="store_true", help="one picture in plain lines")
    parser.add_argument(
        "--interval",
        type=whole_number(1, INTERVAL_S_MAX),
        default=INTERVAL_S_DEFAULT,
        metavar="S",
        help=f"seconds between pictures (default {INTERVAL_S_DEFAULT})",
    )
    return parser


def _watch(options: argparse.Namespace) -> Watch:
    path: Path = options.plan or DEFAULT_PLAN
    if options.plan is None and options.gateway and not path.exists():
        return Watch("", None, GatewayWatch(_given(options, GatewayAddress(options.gateway))))
    if not path.exists():
        raise LifecycleError(
            f"there is no plan {path}; name one with --plan, or a gateway with --gateway URL"
        )
    plan = load_plan(path)
    address = _given(options, address_beside(plan, path))
    return Watch(plan.name, ValidatorWatch(plan), GatewayWatch(address))


def _given(options: argparse.Namespace, address: GatewayAddress) -> GatewayAddress:
    """With what the command line and the environment say instead."""
    if options.gateway and options.gateway.rstrip("/") != address.url:
        # A token of one gateway is not shown to another.
        address = GatewayAddress(options.gateway.rstrip("/"))
    token = os.environ.get(TOKEN_VARIABLE, address.token)
    return replace(address, ca=options.ca or address.ca, token=token)


async def _once(watch: Watch) -> int:
    try:
        await watch.look_at_validators()
        await asyncio.sleep(CPU_SPAN_S)
        shown = await watch.look()
    finally:
        await watch.close()
    if shown.is_empty:
        return _nothing_runs(shown)
    print("\n".join(lines(shown)))
    return 0


async def _live(watch: Watch, interval_s: int) -> int:
    try:
        shown = await watch.look()
        if shown.is_empty:
            return _nothing_runs(shown)
        console = Console()
        with _single_keys(), Live(console=console, screen=True, auto_refresh=False) as live:
            live.update(tables(shown), refresh=True)
            while not await asyncio.to_thread(_is_quit, interval_s):
                live.update(tables(await watch.look()), refresh=True)
    finally:
        await watch.close()
    return 0


def _nothing_runs(shown: Snapshot) -> int:
    told = f"no validator of {shown.network} runs, and " if shown.validators else ""
    print(
        f"gridledger top: {told}{shown.gateway_problem};"
        " start a network with `gridledger network up`, or the demo with `./demo`",
        file=sys.stderr,
    )
    return EXIT_FAILED


@contextmanager
def _single_keys() -> Iterator[None]:
    """Keys come as they are pressed and are not shown."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _is_quit(wait_s: int) -> bool:
    """Whether q is pressed within this time; also when the terminal is gone."""
    ready, _, _ = select.select([sys.stdin], [], [], wait_s)
    if not ready:
        return False
    pressed = os.read(sys.stdin.fileno(), 1).decode(errors="replace")
    return pressed in QUIT_KEYS or not pressed

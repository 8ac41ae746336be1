"""A real four-member network for tests: own folder, free ports, real processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from network.founding.creation import create_network
from network.layout import NetworkLayout
from network.plan import Plan, default_plan_text, load_plan
from network.ports import free_port_range
from network.running.lifecycle import down, up


@dataclass(frozen=True, slots=True)
class RunningNetwork:
    """A network whose validators all listen."""

    plan: Plan
    layout: NetworkLayout
    plan_path: Path


def create_test_network(
    folder: Path,
    *,
    min_interval_ms: int = 0,
    founded: datetime | None = None,
    more_plan: str = "",
) -> RunningNetwork:
    """Keys and genesis block of a network that does not run yet, founded now or earlier.

    `more_plan` stands behind the plan's usual text.
    """
    start = free_port_range(9)
    usual = default_plan_text(
        name="test-network",
        min_interval_ms=min_interval_ms,
        first_peer_port=start,
        first_validator_port=start + 4,
        gateway_port=start + 8,
    )
    text = usual + more_plan
    path = folder / "network.toml"
    path.write_text(text, encoding="utf-8")
    plan = load_plan(path)
    layout = create_network(plan, text, now=founded or datetime.now(tz=UTC))
    return RunningNetwork(plan=plan, layout=layout, plan_path=path)


@contextmanager
def running_network(
    folder: Path,
    *,
    min_interval_ms: int = 0,
    more_plan: str = "",
    before_start: Callable[[RunningNetwork], None] | None = None,
) -> Iterator[RunningNetwork]:
    """Create, start, hand out, and stop whatever happens."""
    network = create_test_network(folder, min_interval_ms=min_interval_ms, more_plan=more_plan)
    if before_start is not None:
        before_start(network)
    try:
        up(network.plan)
        yield network
    finally:
        down(network.plan)

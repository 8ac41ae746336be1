"""A real validator kills itself at a fail point, starts again, and has what the others have."""

import asyncio
from collections.abc import Iterator

import pytest

from ledger.storage.fail_points import CRASH_VARIABLE, FailPoint
from network.running.lifecycle import down, up
from network.running.observers import notice_of
from network.running.processes import read_pid_file, reap, wait_for_exit
from network.running.verification import verify_member
from tests.integration.market_scene import MarketScene
from tests.integration.running_network import running_network
from tests.integration.validators import agreed_head

pytestmark = pytest.mark.full

VICTIM = "dso"
EXIT_TIMEOUT_S = 120.0

# Frames are also written at the start: the third one is a vote's.
BOUNDARIES = tuple(
    (point, 3 if point.startswith("frame-") else 1)
    for point in FailPoint
    if point.split("-")[0]
    in ("frame", "vote", "step", "message", "send", "commit", "batch", "journal")
    and point
    not in (
        FailPoint.JOURNAL_TAIL_FOUND,
        FailPoint.JOURNAL_TAIL_CUT,
        FailPoint.JOURNAL_SET_ASIDE,
        FailPoint.SEND_BETWEEN,
    )
)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketScene]:
    with (
        running_network(tmp_path_factory.mktemp("crash-points")) as network,
        asyncio.Runner() as runner,
    ):
        scene = MarketScene(network, runner)
        scene.run(scene.open())
        yield scene
        scene.run(scene.close())


def crash_and_return(
    market: MarketScene, monkeypatch: pytest.MonkeyPatch, point: FailPoint, nth: int
) -> None:
    plan, folder = market.network.plan, market.network.layout.member(VICTIM)
    down(plan, [VICTIM])
    monkeypatch.setenv(CRASH_VARIABLE, f"{point}:{nth}")
    up(plan, [VICTIM])
    monkeypatch.delenv(CRASH_VARIABLE)
    process = read_pid_file(folder.pid_file)
    assert process is not None, "it does not die before it serves"
    market.run(market.join())
    assert wait_for_exit(process, timeout_s=EXIT_TIMEOUT_S), f"it never got to {point}"
    reap(process)
    up(plan, [VICTIM])
    market.run(market.join())
    market.run(agreed_head(market.network))
    assert notice_of(folder) == ""


def require_whole(market: MarketScene) -> None:
    down(market.network.plan, [VICTIM])
    layout = market.network.layout
    assert verify_member(layout.member(VICTIM), layout) > len(BOUNDARIES)
    up(market.network.plan, [VICTIM])


def test_killed_at_every_boundary_of_a_block(market, monkeypatch):
    for point, nth in BOUNDARIES:
        crash_and_return(market, monkeypatch, point, nth)
    require_whole(market)

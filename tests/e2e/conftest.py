"""One demo for all tests that talk to a running system."""

from collections.abc import Iterator

import pytest

from tests.e2e.running_demo import (
    HOUR_SECONDS,
    RUN_TIMEOUT_S,
    RunningDemo,
    running_demo,
)
from tests.e2e.scene import HOURS, HOUSEHOLDS


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    options = ("--hours", str(HOURS), "--households", str(HOUSEHOLDS))
    options += ("--hour-seconds", HOUR_SECONDS)
    with running_demo(tmp_path_factory.mktemp("demo") / "kept", *options) as running:
        running.wait_for("the page stays", RUN_TIMEOUT_S)
        yield running

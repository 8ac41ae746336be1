"""A gateway process beside a network of this machine, for measurements."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from network.plan import Plan
from network.running.processes import end_child, is_listening

READY_TIMEOUT_S = 60.0
PROBE_INTERVAL_S = 0.05


class GatewayFailed(Exception):  # noqa: N818 - what happened
    """The gateway, or a client that measures it, did not do its part."""


@contextmanager
def running_gateway(plan: Plan, settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, listening; stopped at the end. Its log lies beside the settings."""
    address = f"{plan.gateway_host}:{plan.gateway_port}"
    log_path = settings.with_name("gateway.log")
    with log_path.open("wb") as log:
        command = [sys.executable, "-P", "-m", "gateway.server", "--config", str(settings)]
        process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_until_listening(address, process, log_path)
            yield process
        finally:
            end_child(process)


def _wait_until_listening(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not is_listening(address):
        with suppress(subprocess.TimeoutExpired):
            process.wait(PROBE_INTERVAL_S)
            tail = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
            raise GatewayFailed(f"the gateway ended:\n{tail}")
        if time.monotonic() > deadline:
            raise GatewayFailed(f"the gateway does not listen on {address}")

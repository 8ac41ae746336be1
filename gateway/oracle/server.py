"""`python -m gateway.oracle.server --config oracle.json`: a member's oracle, as a process.

Any member of the community's panel may run one, with its own certificate of the role `oracle`.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gateway.ledger_access.actor import Actor
from gateway.oracle.answering import AnsweringNode
from gateway.oracle.http_source import HttpSource
from gateway.oracle.job import JobSpec, RunLog
from gateway.settings import IdentityFiles, LedgerSettings, identity_from, ledger_from
from gateway.strict_json import parse_strictly
from ledger import log_lines
from ledger.client.gateway import GatewayClient


@dataclass(frozen=True, slots=True)
class OracleSettings:
    """Everything an oracle is told; the file holds tokens, so it has mode 0600."""

    ledger: LedgerSettings
    identity: IdentityFiles
    jobs: tuple[JobSpec, ...]
    run_log: Path
    """In the file relative to its folder, or absolute."""


def load_oracle_settings(path: Path) -> OracleSettings:
    """Read the oracle's file; a wrong one raises `ValueError`, `KeyError` or `TypeError`."""
    raw = parse_strictly(path.read_bytes())
    return OracleSettings(
        ledger=ledger_from(raw["ledger"]),
        identity=identity_from(raw["identity"]),
        jobs=tuple(_job(job) for job in raw["jobs"]),
        run_log=path.parent / raw["run_log"],
    )


async def serve(settings: OracleSettings) -> None:
    """Answer until cancelled."""
    client = GatewayClient.connect(
        settings.ledger.peers[0].address,
        settings.ledger.tls_ca.read_bytes(),
        settings.ledger.channel_id,
    )
    actor = Actor(client, settings.identity.load(), settings.ledger.chaincode)
    log = RunLog(clock_ms, settings.run_log)
    try:
        async with httpx.AsyncClient() as http:
            jobs = list(settings.jobs)
            node = AnsweringNode(actor, jobs, HttpSource(http), clock_ms=clock_ms, log=log)
            await node.run()
    finally:
        await client.close()


def clock_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def main() -> int:
    """Read the configuration and answer."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.oracle.server",
        description="A member's oracle, until a signal ends it.",
    )
    parser.add_argument("--config", type=Path, required=True, help="oracle.json (docs/oracle.md)")
    options = parser.parse_args()
    log_lines.configure(logging.WARNING, "%(asctime)s %(name)s %(message)s")
    try:
        settings = load_oracle_settings(options.config)
    except OSError as error:
        parser.error(f"cannot read {options.config}: {error.strerror}")
    except KeyError as error:
        parser.error(f"{options.config}: the field {error} is missing")
    except (TypeError, ValueError) as error:
        parser.error(f"{options.config}: {error}")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings))
    return 0


def _job(raw: dict[str, Any]) -> JobSpec:
    path = raw.get("value_path", ["value"])
    spec = JobSpec(**(raw | {"value_path": tuple(str(name) for name in path)}))
    try:
        spec.url.format(subject="", at_ms=0)
    except (LookupError, ValueError) as error:
        raise ValueError(f"{spec.url}: only {{subject}} and {{at_ms}} may stand in it") from error
    return spec


if __name__ == "__main__":
    sys.exit(main())

"""A running validator under garbage on all its ports, while blocks go on."""

import asyncio
import time
from pathlib import Path

import pytest

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.pinned_tls import pinned_name, trust_anchor
from ledger.rpc.transport import TlsMaterial
from network.certificates.credentials import read_pair
from network.running.process_usage import resident_bytes
from network.running.processes import read_pid_file
from tests.fuzz import samples
from tests.fuzz.targets.consensus import TARGETS as CONSENSUS
from tests.fuzz.targets.services import TARGETS as SERVICES
from tests.hostile.flood import Flood, ValidatorFlood
from tests.integration.market_scene import MarketScene
from tests.integration.running_network import RunningNetwork, running_network
from tests.integration.validators import agreed_head

pytestmark = pytest.mark.full

FLOOD_SECONDS = 20.0
WARM_UP_SECONDS = 5.0
GROWTH_BYTES_MAX = 96 * 1024 * 1024
TRANSACTIONS_MIN = 10
LOG_LINES_MAX = 5_000
VICTIM, LIAR = 0, 3


def test_garbage_stops_neither_blocks_nor_grows_memory(tmp_path: Path, record_property) -> None:
    with running_network(tmp_path) as network, asyncio.Runner() as runner:
        market = MarketScene(network, runner)
        figures = market.run(_soak(market))
        for name, value in figures.items():
            record_property(name, value)
        market.run(market.close())
        log = network.layout.member(network.plan.members[VICTIM].id).log_file.read_text()
    # Shown by `pytest -rP`; what is promised is asserted.
    print(figures, log.count("\n"), "log lines")  # noqa: T201
    assert figures["transactions"] >= TRANSACTIONS_MIN
    assert figures["grown_bytes"] <= GROWTH_BYTES_MAX
    assert "UNKNOWN" not in flood_answers(figures), "a handler failed"
    assert "Traceback" not in log
    assert log.count("\n") <= LOG_LINES_MAX, "strangers do not fill the disk"


def flood_answers(figures: dict[str, int | float | str]) -> str:
    return str(figures["answers"])


async def _soak(market: MarketScene) -> dict[str, int | float | str]:
    network = market.network
    await market.open()
    home = await market.join()
    flood = _flood_of(network)
    liar = ValidatorFlood(flood, network.plan.members[VICTIM].validator_address, _liar(network), 2)
    works = (flood.calls, flood.calls, flood.streams, flood.connections, liar.frames)
    # Caches and pools fill first; what grows after that would grow for ever.
    await flood.run(WARM_UP_SECONDS, *works)
    before = _rss_bytes(network)
    blocks_before = (await agreed_head(network)).height
    flooding = asyncio.create_task(flood.run(FLOOD_SECONDS, *works))
    latencies_ms: list[float] = []
    transactions = 0
    while not flooding.done():
        started = time.monotonic()
        await market.ask(home.identity, "tokens:account", home.idgrid)
        latencies_ms.append((time.monotonic() - started) * 1000)
        await market.open_listing()
        transactions += 1
    await flooding
    await market.open_listing()
    head = await agreed_head(network, at_least=blocks_before + transactions)
    latencies_ms.sort()
    return {
        "transactions": transactions,
        "blocks": head.height - blocks_before,
        "grown_bytes": _rss_bytes(network) - before,
        "rss_bytes": before,
        "answers": str(dict(flood.answers)),
        "question_p50_ms": round(latencies_ms[len(latencies_ms) // 2], 1),
        "question_max_ms": round(latencies_ms[-1], 1),
    }


def _flood_of(network: RunningNetwork) -> Flood:
    targets = [
        target
        for target in (*CONSENSUS, *SERVICES)
        if target.name.startswith(("gateway-", "consensus-message", "deliver"))
    ]
    requests = [seed for target in targets for seed in target.seeds()]
    return Flood(
        client_address=network.plan.members[VICTIM].address,
        ca_pem=network.layout.tls_ca_bundle.read_bytes(),
        requests=[*requests, *samples.transactions()],
        seed=1,
    )


def _liar(network: RunningNetwork) -> TlsMaterial:
    """The last validator's own key and certificate."""
    victim, liar = network.plan.members[VICTIM], network.plan.members[LIAR]
    pair = read_pair(network.layout.member(liar.id).credential("peer-tls"))
    pem = network.layout.member(victim.id).credential("peer-tls").certificate.read_bytes()
    server = parse_certificate(pem)
    return TlsMaterial(
        pair.certificate_pem,
        pair.key_pem,
        trust_anchor(server.public_key),
        server_name=pinned_name(server.public_key_der),
    )


def _rss_bytes(network: RunningNetwork) -> int:
    member = network.plan.members[VICTIM]
    process = read_pid_file(network.layout.member(member.id).pid_file)
    assert process is not None
    held = resident_bytes(process.pid)
    assert held, "the victim lives"
    return held

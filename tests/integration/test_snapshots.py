"""A validator that lost its disk joins again from a snapshot, among real processes."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ledger.client.gateway import GatewayClient
from ledger.errors import InvalidMessage, Reason
from ledger.storage.journal import JOURNAL_FILE, Journal
from ledger.storage.opening import DATABASE_FOLDER
from network.bench.community import Community
from network.commands.network import main as network_main
from network.commands.snapshot import main as snapshot_main
from network.commands.verify_chain import main as verify_chain_main
from network.plan import MemberPlan
from network.running.lifecycle import down, up
from network.running.observers import notice_of
from tests.integration.running_network import RunningNetwork
from tests.integration.test_consortium import place_one
from tests.integration.trading_network import trading_network
from tests.integration.validators import AGREEMENT_TIMEOUT_S, agreed_head, blocks_of

pytestmark = pytest.mark.slow

T = TypeVar("T")
HOUSEHOLDS = 6


@dataclass
class Scene:
    """A trading community whose last validator comes and goes."""

    network: RunningNetwork
    runner: asyncio.Runner
    client: GatewayClient
    community: Community
    folder: Path

    @property
    def victim(self) -> MemberPlan:
        return self.network.plan.members[-1]

    @property
    def others(self) -> tuple[MemberPlan, ...]:
        return self.network.plan.members[:-1]

    @property
    def ledger_dir(self) -> Path:
        return self.network.layout.member(self.victim.id).ledger_dir

    @property
    def genesis(self) -> str:
        return f"--genesis={self.network.layout.genesis_block}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def trade(self, blocks: int) -> None:
        """So many offers one after another, each in a block of its own."""

        async def work() -> None:
            for _ in range(blocks):
                [offer] = await self.community.offers(1)
                await place_one(self.client, offer)

        self.run(work())

    def trade_with_its_vote(self) -> None:
        """A block that needs the victim's vote, since another one is down."""
        absent = self.others[-1].id
        assert down(self.network.plan, [absent]) == [absent]
        try:
            self.trade(1)
        finally:
            up(self.network.plan, [absent])
        self.run(agreed_head(self.network))

    def stop(self) -> None:
        assert down(self.network.plan, [self.victim.id]) == [self.victim.id]

    def start(self) -> None:
        assert up(self.network.plan, [self.victim.id]) == [self.victim.id]

    def snapshot(self) -> Path:
        """Of the stopped victim's ledger."""
        path = self.folder / "state.snapshot"
        path.unlink(missing_ok=True)
        assert snapshot_main(["create", f"--data={self.ledger_dir}", f"--output={path}"]) == 0
        return path

    def lose_disk(self) -> None:
        self.ledger_dir.rename(self.folder / f"lost-{len(list(self.folder.glob('lost-*')))}")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("snapshots")
    with trading_network(folder, households=HOUSEHOLDS) as made:
        yield Scene(made.network, made.runner, made.client, made.community, folder)


def secrets_of(scene: Scene) -> list[bytes]:
    """Private keys, as text and as numbers, and every vote and record of the journal."""
    found = []
    for path in scene.network.layout.member(scene.victim.id).root.rglob("*.key"):
        pem = path.read_bytes()
        number = load_pem_private_key(pem, None).private_numbers().private_value
        found += [pem, *pem.splitlines()[1:-1], number.to_bytes(32, "big")]
    journal = Journal(scene.ledger_dir / JOURNAL_FILE)
    found += [*journal.read_all(), *journal.read_votes()]
    journal.close()
    return found


def test_a_lost_disk_is_replaced_by_a_snapshot(scene: Scene, capsys) -> None:
    scene.trade(3)
    scene.run(agreed_head(scene.network))
    scene.stop()
    snapshot = scene.snapshot()
    content = snapshot.read_bytes()
    assert not [secret for secret in secrets_of(scene) if secret in content]
    capsys.readouterr()
    assert snapshot_main(["verify", str(snapshot), scene.genesis, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["validators"] == 4
    assert len(said["sealed_by"]) >= 3

    scene.lose_disk()
    scene.trade(2)
    restore = ["restore", str(snapshot), f"--data={scene.ledger_dir}", scene.genesis]
    assert snapshot_main(restore) == 0
    assert "fetches the blocks after it" in capsys.readouterr().out
    scene.start()
    head = scene.run(agreed_head(scene.network))
    assert head.height > said["block_number"] + 2
    assert notice_of(scene.network.layout.member(scene.victim.id)), "its votes are forgotten"


def test_it_votes_again_when_what_it_forgot_cannot_matter(scene: Scene) -> None:
    folder = scene.network.layout.member(scene.victim.id)

    async def until_it_votes() -> None:
        async with asyncio.timeout(AGREEMENT_TIMEOUT_S):
            while notice_of(folder):
                [offer] = await scene.community.offers(1)
                await place_one(scene.client, offer)

    scene.run(until_it_votes())
    scene.trade_with_its_vote()


def test_older_blocks_are_asked_of_others(scene: Scene) -> None:
    """It has block 0, and nothing between that and its snapshot."""
    with pytest.raises(InvalidMessage) as refused:
        scene.run(blocks_of(scene.network, scene.victim, 0, 2))
    assert refused.value.reason is Reason.WRONG_HEIGHT
    assert len(scene.run(blocks_of(scene.network, scene.others[0], 0, 2))) == 3


def test_its_ledger_is_checked_from_the_snapshot_on(scene: Scene, capsys) -> None:
    scene.stop()
    plan = f"--plan={scene.network.plan_path}"
    assert network_main(["verify", plan, scene.victim.id]) == 0
    assert "blocks are good" in capsys.readouterr().out
    assert verify_chain_main([f"--data={scene.ledger_dir}", scene.genesis]) == 0
    capsys.readouterr()
    assert scene.snapshot().exists(), "and gives snapshots itself"
    scene.start()
    scene.run(agreed_head(scene.network))


def test_with_its_journal_it_remembers_its_votes(scene: Scene) -> None:
    """Only the database is lost: the snapshot goes beside the journal."""
    scene.stop()
    snapshot = scene.snapshot()
    (scene.ledger_dir / DATABASE_FOLDER).rename(scene.folder / "lost-database")
    assert (
        snapshot_main(["restore", str(snapshot), f"--data={scene.ledger_dir}", scene.genesis]) == 0
    )
    scene.start()
    scene.run(agreed_head(scene.network))
    assert notice_of(scene.network.layout.member(scene.victim.id)) == ""
    scene.trade_with_its_vote()


def test_a_refused_snapshot_falls_back_to_fetching_every_block(scene: Scene, capsys) -> None:
    scene.stop()
    snapshot = scene.snapshot()
    content = bytearray(snapshot.read_bytes())
    content[len(content) // 2] ^= 1
    snapshot.write_bytes(content)
    scene.lose_disk()
    restore = ["restore", str(snapshot), f"--data={scene.ledger_dir}", scene.genesis]
    assert snapshot_main(restore) == 1
    assert "REFUSED: DAMAGED" in capsys.readouterr().err
    assert not scene.ledger_dir.exists()
    assert snapshot_main([*restore, "--or-sync"]) == 0
    assert "falling back to block sync from genesis" in capsys.readouterr().out
    assert list(scene.ledger_dir.iterdir()) == []
    scene.start()
    scene.run(agreed_head(scene.network))
    assert len(scene.run(blocks_of(scene.network, scene.victim, 0, 2))) == 3

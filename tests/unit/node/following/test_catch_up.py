"""Catching up: everyone who claims to be ahead is a source, nobody is trusted."""

import asyncio

import pytest

from ledger.consensus.events import HeadClaimed
from ledger.model.block import Block
from ledger.node.following import catch_up
from ledger.node.following.catch_up import BLOCKS_PER_REQUEST_MAX, CatchUp
from ledger.wire.validator_pb2 import BlockRequest, BlockResponse, Item, Status
from tests.support.ledger_world import LedgerWorld, market, put
from tests.unit.node.fake_links import FakeLinks

pytestmark = pytest.mark.anyio
FAR = 2**64 - 1


@pytest.fixture(scope="module")
def chain() -> list[bytes]:
    """Six stored blocks."""
    world = LedgerWorld()
    for number in range(1, 6):
        world.commit(world.transaction(market(writes=[put(f"k{number}")])))
    raws = [world.store.block_raw(number) for number in range(6)]
    return [raw for raw in raws if raw is not None]


class Scene:
    """A validator that has the first `height` blocks of the chain."""

    def __init__(self, chain: list[bytes], height: int = 1, *up: int) -> None:
        self.chain = chain
        self.have = height
        self.links = FakeLinks(*(up or (2, 3, 4)))
        self.delivered: list[tuple[Block, int]] = []
        self.claimed: list[HeadClaimed] = []
        self.catch_up = CatchUp(
            reader=self,
            links=self.links,
            deliver=lambda block, source: self.delivered.append((block, source)),
            status=lambda: Status(height=self.have),
            on_claim=self.claimed.append,
        )

    def height(self) -> int:
        return self.have

    def block_raw(self, number: int) -> bytes | None:
        return self.chain[number] if number < self.have else None

    def claims(self, sender: int, height: int) -> None:
        self.catch_up.on_status(sender, Status(height=height))

    def answers(self, sender: int, *raws: bytes) -> None:
        self.catch_up.on_response(sender, BlockResponse(blocks=raws))

    def commits(self, count: int = 1) -> None:
        for _ in range(count):
            self.have += 1
            self.catch_up.on_committed()

    @property
    def asked(self) -> list[tuple[int, int]]:
        return [
            (to, item.block_request.from_number) for to, item in self.links.of("block_request")
        ]

    async def asked_times(self, count: int) -> list[tuple[int, int]]:
        await self.links.until(lambda: len(self.asked) >= count)
        return self.asked


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits in milliseconds, and an answer is never given up unless a test asks for it."""
    monkeypatch.setattr(catch_up, "REQUEST_TIMEOUT_MS", 60_000)
    monkeypatch.setattr(catch_up, "LAG_TOLERANCE_MS", 1)
    monkeypatch.setattr(catch_up, "STATUS_DELAY_MS", 1)


@pytest.fixture
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "REQUEST_TIMEOUT_MS", 5)


async def test_who_claims_to_be_ahead_is_asked(chain: list[bytes]) -> None:
    scene = Scene(chain)
    scene.claims(3, 6)
    assert await scene.asked_times(1) == [(3, 1)]
    scene.answers(3, *chain[1:6])
    assert [(b.number, s) for b, s in scene.delivered] == [(n, 3) for n in range(1, 6)]


async def test_who_is_not_ahead_is_not_asked(chain: list[bytes]) -> None:
    scene = Scene(chain, 6)
    scene.claims(3, 6)
    scene.claims(4, 2)
    scene.catch_up._ask()
    assert scene.asked == []


async def test_nothing_is_asked_when_consensus_was_faster(chain: list[bytes]) -> None:
    scene = Scene(chain)
    scene.claims(3, 2)
    scene.commits()
    scene.catch_up._ask()
    assert scene.asked == []


async def test_the_next_run_follows_at_once(chain: list[bytes]) -> None:
    """Not after the timeout: a network under load would run away."""
    scene = Scene(chain)
    scene.claims(3, 100)
    await scene.asked_times(1)
    scene.answers(3, *chain[1:3])
    scene.commits(2)
    assert await scene.asked_times(2) == [(3, 1), (3, 3)]


async def test_a_silent_source_is_followed_by_another(
    chain: list[bytes], short_timeout: None
) -> None:
    scene = Scene(chain)
    scene.claims(2, FAR)
    scene.claims(3, 6)
    asked = await scene.asked_times(4)
    assert {source for source, _ in asked[:2]} == {2, 3}
    assert {source for source, _ in asked[2:4]} == {2, 3}


async def test_a_source_without_the_block_is_not_asked_again(
    chain: list[bytes], short_timeout: None
) -> None:
    scene = Scene(chain)
    scene.claims(2, FAR)
    await scene.asked_times(1)
    scene.answers(2)
    scene.claims(3, 6)
    assert (await scene.asked_times(3))[1:3] == [(3, 1), (3, 1)]


async def test_broken_blocks_are_not_delivered(chain: list[bytes], short_timeout: None) -> None:
    scene = Scene(chain)
    scene.claims(2, FAR)
    await scene.asked_times(1)
    scene.answers(2, chain[1], b"\xff\xff")
    assert scene.delivered == []
    scene.claims(3, 6)
    assert (await scene.asked_times(2))[1] == (3, 1)


async def test_a_source_that_disappears_is_replaced(
    chain: list[bytes], short_timeout: None
) -> None:
    scene = Scene(chain)
    scene.claims(2, 6)
    await scene.asked_times(1)
    scene.links.up.discard(2)
    scene.claims(4, 6)
    assert (await scene.asked_times(2))[1] == (4, 1)


async def test_a_source_that_comes_back_is_asked_for_the_rest(chain: list[bytes]) -> None:
    """A block that changes the validators breaks all streams just when its run is complete."""
    scene = Scene(chain)
    scene.claims(3, 100)
    await scene.asked_times(1)
    scene.answers(3, *chain[1:3])
    scene.links.up.clear()
    scene.commits(2)
    scene.links.up.add(3)
    scene.catch_up.on_connected(3)
    assert await scene.asked_times(2) == [(3, 1), (3, 3)]


async def test_blocks_nobody_asked_for_are_ignored(chain: list[bytes]) -> None:
    scene = Scene(chain)
    scene.answers(2, *chain[1:])
    scene.claims(3, 6)
    await scene.asked_times(1)
    scene.answers(2, *chain[1:])
    assert scene.delivered == []
    scene.answers(3, *chain[1:3])
    scene.answers(3, *chain[1:3])
    assert len(scene.delivered) == 2, "one answer for each request"


async def test_an_answer_has_at_most_one_run(chain: list[bytes]) -> None:
    scene = Scene(chain)
    scene.claims(3, FAR)
    await scene.asked_times(1)
    scene.answers(3, *[chain[1]] * (BLOCKS_PER_REQUEST_MAX + 10))
    assert len(scene.delivered) == BLOCKS_PER_REQUEST_MAX


async def test_consensus_may_ask_for_a_block_a_source_sealed(chain: list[bytes]) -> None:
    scene = Scene(chain)
    scene.catch_up.on_behind(1, 4)
    assert await scene.asked_times(1) == [(4, 1)]


async def test_everyone_hears_of_the_last_block_before_a_quiet_time(chain: list[bytes]) -> None:
    scene = Scene(chain)
    scene.commits(3)
    await scene.links.until(lambda: len(scene.links.of("status")) == 3)
    assert {(to, item.status.height) for to, item in scene.links.of("status")} == {
        (2, 4),
        (3, 4),
        (4, 4),
    }


# -- answering ------------------------------------------------------------------------------------


async def answered(scene: Scene, first: int, last: int) -> list[bytes]:
    replies: asyncio.Queue[Item] = asyncio.Queue()
    scene.catch_up.on_request(
        2,
        BlockRequest(from_number=first, to_number=last),
        lambda item: replies.put_nowait(item) is None,
    )
    async with asyncio.timeout(60):
        return list((await replies.get()).block_response.blocks)


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [(1, 3, range(1, 4)), (4, FAR, range(4, 6)), (6, 9, []), (FAR, FAR, []), (3, 2, [])],
)
async def test_requests_are_answered_with_what_there_is(
    chain: list[bytes], first: int, last: int, numbers: list[int]
) -> None:
    assert await answered(Scene(chain, 6), first, last) == [chain[n] for n in numbers]


async def test_an_answer_is_bounded_in_bytes(
    chain: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up, "RESPONSE_BYTES_MAX", len(chain[1]) + len(chain[2]))
    assert await answered(Scene(chain, 6), 1, 5) == chain[1:3]
    monkeypatch.setattr(catch_up, "RESPONSE_BYTES_MAX", 1)
    assert await answered(Scene(chain, 6), 1, 5) == chain[1:2], "never nothing"


async def test_a_flood_of_requests_gets_one_answer(chain: list[bytes]) -> None:
    scene = Scene(chain, 6)
    replies: list[Item] = []
    for _ in range(1_000):
        scene.catch_up.on_request(
            2, BlockRequest(from_number=0, to_number=5), lambda item: replies.append(item) is None
        )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(replies) == 1


async def test_a_validator_that_does_not_vote_for_its_disk_is_named_once(
    chain: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    scene = Scene(chain)
    for is_short in (False, True, True, False, False, True):
        scene.catch_up.on_status(2, Status(height=1, disk_short=is_short))
    assert [record.getMessage() for record in caplog.records] == [
        "consenter 2 is not voting: disk short",
        "consenter 2 has room on its disk again",
        "consenter 2 is not voting: disk short",
    ]


async def test_what_others_say_about_their_height_is_passed_on(chain: list[bytes]) -> None:
    scene = Scene(chain[:2])
    scene.catch_up.on_status(2, Status(height=9, observes=True))
    scene.catch_up.on_status(3, Status(height=0))  # nobody has no genesis block
    assert scene.claimed == [HeadClaimed(2, 8, observes=True)]

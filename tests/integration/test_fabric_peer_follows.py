"""What a Fabric peer asks of an ordering service and checks, on a real network of four validators.

The peer is `tests/follower`: Fabric's rules on Fabric's official messages, in a process of its own
that shares nothing with the ledger. The tests tell one story on one network.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ledger.model.codec import encode_envelope
from ledger.wire import common_pb2
from network.running.lifecycle import down, up
from tests.integration.membership import FIFTH, cert, change, with_more_members
from tests.integration.running_network import RunningNetwork
from tests.integration.test_consortium import CHAINCODE, place_one
from tests.integration.trading_network import TradingNetwork, trading_network
from tests.integration.validators import agreed_head
from tests.support.following_process import FollowingProcess, RefusedBlock, following

pytestmark = [pytest.mark.slow, pytest.mark.full]

HOUSEHOLDS = 2
OTHERS = ("municipality", "dso")
SUCCESS = (common_pb2.SUCCESS, "")
ALREADY_EXISTS = (
    common_pb2.SERVICE_UNAVAILABLE,
    "failed to submit request: request already exists",
)
"""What Fabric's gateway takes for success beside success itself."""


@dataclass
class Story:
    """The network, and a peer of the grid operator that nobody counts among the validators."""

    trading: TradingNetwork
    network: RunningNetwork
    peer: FollowingProcess

    def trade(self, count: int = 1) -> int:
        """Place offers one after the other; the number of the newest block."""

        async def scene() -> int:
            for offer in await self.trading.community.offers(count):
                await place_one(self.trading.client, offer)
            return (await agreed_head(self.network)).height - 1

        return self.trading.runner.run(scene())

    def height(self) -> int:
        return self.trading.runner.run(agreed_head(self.network)).height


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("fabric-peer")
    with trading_network(folder, households=HOUSEHOLDS) as trading:
        network = trading.network
        assert cert(network, "issue", "dso", "fabric-peer", "--role", "peer") == 0
        credential = network.layout.member("dso").user("fabric-peer")
        with following(network.layout.genesis_block, "DsoMSP", credential) as peer:
            made = Story(trading, network, peer)
            try:
                yield made
            finally:
                down(made.network.plan)


def test_it_accepts_every_block_since_the_genesis_block(story: Story) -> None:
    newest = story.trade(3)
    taken = story.peer.ask("follow", until=newest)
    assert [block["number"] for block in taken] == list(range(1, newest + 1))
    assert all(len(block["signers"]) >= 3 for block in taken)
    assert {name for block in taken for name in block["chaincodes"]} == {"_lifecycle", CHAINCODE}
    assert {code for block in taken for code in block["codes"]} == {0}
    config = story.peer.ask("config")
    assert config["consensus_type"] == "BFT"
    assert [one[:2] for one in config["consenters"]] == [
        [1, "CooperativeMSP"], [2, "MunicipalityMSP"], [3, "DsoMSP"], [4, "UtilityMSP"],
    ]  # fmt: skip
    assert sorted(config["endpoints"]) == sorted(m.address for m in story.network.plan.members)
    assert story.peer.ask("foreign_modules") == []


def test_it_watches_headers_and_signatures_of_another_orderer(story: Story) -> None:
    newest = story.height() - 1
    assert story.peer.ask("attest", until=newest, endpoint=2) == list(range(1, newest + 1))


def test_it_refuses_every_block_with_one_changed_byte(story: Story) -> None:
    said = story.peer.ask("tamper", quorum=3)
    assert said["passed"] == []
    assert said["tried"] > 1_000


def test_fewer_seals_than_the_quorum_do_not_count(story: Story) -> None:
    with pytest.raises(RefusedBlock, match="did not satisfy policy BlockValidation"):
        story.peer.ask("tamper", quorum=2)


def test_its_gateway_broadcasts_to_all_orderers_and_counts_a_quorum(story: Story) -> None:
    async def endorsed() -> bytes:
        [offer] = await story.trading.community.offers(1)
        client, who = story.trading.client, offer.household.identity
        proposal = client.propose(who.serialized, CHAINCODE, "market:place_offer", offer.arguments)
        payload = await client.endorse(proposal, who.sign(proposal.raw))
        return encode_envelope(payload, who.sign(payload))

    envelope = base64.b64encode(story.trading.runner.run(endorsed())).decode()
    before = story.height()
    answers = [tuple(one) for one in story.peer.ask("broadcast", envelope=envelope)]
    assert answers[0] == SUCCESS
    assert set(answers) <= {SUCCESS, ALREADY_EXISTS}, "a block may come between two answers"
    [*_, block] = story.peer.ask("follow", until=before)
    assert block["codes"] == [0]
    story.trading.runner.run(agreed_head(story.network, at_least=before + 1))
    again = [tuple(one) for one in story.peer.ask("broadcast", envelope=envelope)]
    assert again == [ALREADY_EXISTS] * 4
    assert story.height() == before + 1


def test_a_validator_more_is_taken_from_the_config_block_on(story: Story) -> None:
    story.network = with_more_members(story.network, FIFTH)
    change(story.network, "add", FIFTH, approve=OTHERS)
    up(story.network.plan, [FIFTH])
    change(story.network, "add", FIFTH, approve=OTHERS)
    newest = story.trade(2)
    taken = story.peer.ask("follow", until=newest, endpoint=1)
    updates = [block["number"] for block in taken if block["is_config"]]
    assert len(updates) == 2
    config = story.peer.ask("config")
    assert config["sequence"] == 2
    assert config["last_config"] == updates[-1]
    assert [one[:2] for one in config["consenters"]][-1] == [5, "SchoolMSP"]
    after = [block for block in taken if block["number"] > updates[-1]]
    assert after
    assert all(len(block["signers"]) >= 4 for block in after)


def test_the_quorum_is_that_of_five(story: Story) -> None:
    with pytest.raises(RefusedBlock, match="did not satisfy policy BlockValidation"):
        story.peer.ask("tamper", quorum=3)
    assert story.peer.ask("tamper", quorum=4)["passed"] == []


def test_the_new_validator_delivers_the_same_chain(story: Story) -> None:
    endpoints = story.peer.ask("config")["endpoints"]
    fifth = endpoints.index(story.network.plan.member(FIFTH).address)
    newest = story.trade()
    assert story.peer.ask("follow", until=newest, endpoint=fifth)
    attested = story.peer.ask("attest", until=newest, endpoint=fifth)
    assert attested[-1] == newest

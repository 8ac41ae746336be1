"""Members, validators, keys and limits of a running channel change under load.

The tests tell one story on one network, in the order they stand in.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from grpc import aio

from ledger.client.gateway import GatewayClient
from ledger.client.refusals import peer_errors
from ledger.crypto.certificates import parse_certificate
from ledger.model.block import (
    SLOT_SIGNATURES,
    SLOT_TRANSACTIONS_FILTER,
    Block,
    ConsenterMetadata,
)
from ledger.model.codec_block import decode_block_signatures, decode_consenter_metadata
from network.bench.community import Community
from network.membership.proposals import pending
from network.plan import load_plan
from network.ports import free_port_range
from network.running.clients import admin_identity
from network.running.lifecycle import down, up
from network.running.observers import resync
from network.running.verification import verify_member
from tests.integration.membership import (
    FIFTH,
    approve_by,
    approve_once_all_are_reached,
    cert,
    change,
    channel_of,
    member,
    proposal,
    with_more_members,
)
from tests.integration.running_network import RunningNetwork
from tests.integration.test_consortium import fully_connected, place_one
from tests.integration.trading_network import trading_network
from tests.integration.validators import agreed_head, blocks_of

pytestmark = pytest.mark.slow

T = TypeVar("T")
HOUSEHOLDS = 48
OTHERS = ("municipality", "dso")
"""Who approves what the cooperative proposes; three of four are a majority."""


@dataclass
class Channel:
    """A community that trades, and the members who run its channel."""

    network: RunningNetwork
    runner: asyncio.Runner
    client: GatewayClient
    community: Community

    def run(self, scene: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(scene)

    def change_under_load(self, *words: str, approve: tuple[str, ...] = OTHERS) -> None:
        """Change the channel while offers are being placed, all of which become valid."""

        self.under_load(lambda: change(self.network, *words, approve=approve))

    def under_load(self, act: Callable[[], None]) -> None:
        """Households place offers from before `act` until after it; all become valid."""

        async def trade(placed: asyncio.Semaphore, done: asyncio.Event) -> None:
            while not done.is_set():
                offers = await self.community.offers(HOUSEHOLDS)
                await asyncio.gather(*(place_one(self.client, offer) for offer in offers))
                placed.release()

        async def scene() -> None:
            placed, done = asyncio.Semaphore(0), asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(trade(placed, done))
                await placed.acquire()
                await asyncio.to_thread(act)
                done.set()

        self.run(scene())

    def agree(self) -> None:
        """All are up, hold the same blocks, and are reached by the first."""
        self.run(agreed_head(self.network))
        founders = self.network.plan.members[:4]
        identity = admin_identity(founders[0], self.network.layout)
        self.run(fully_connected(self.client, identity, founders))

    def place(self) -> None:
        async def scene() -> None:
            [offer] = await self.community.offers(1)
            await place_one(self.client, offer)

        self.run(scene())

    def headers_name_validators_from_the_next_block_on(self, before: bytes) -> bool:
        """The block of the newest configuration names the set of before, the next the new one."""
        dso = self.network.plan.member("dso")
        state = self.run(channel_of(self.network, "dso"))
        at = state.config_block
        blocks = self.run(blocks_of(self.network, dso, at, at + 1))
        named = [consenter_metadata(block).validator_set_hash for block in blocks]
        return named == [before, state.validators.set_hash]

    def validators(self) -> tuple[int, ...]:
        return self.run(channel_of(self.network, "dso")).validators.ids


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channel]:
    folder = tmp_path_factory.mktemp("membership")
    with trading_network(folder, households=HOUSEHOLDS) as made:
        founded = Channel(made.network, made.runner, made.client, made.community)
        try:
            yield founded
        finally:
            down(founded.network.plan)  # whoever joined since, too


@pytest.mark.row("E114")
def test_a_fifth_validator_joins_under_load(channel: Channel, capsys) -> None:
    channel.network = with_more_members(channel.network, FIFTH)
    with pytest.raises(Exception, match="has no keys yet"):
        up(channel.network.plan, [FIFTH])
    channel.change_under_load("add", FIFTH)
    up(channel.network.plan, [FIFTH])
    before = channel.run(channel_of(channel.network, "dso")).validators
    assert member(channel.network, "propose", "add", FIFTH) == 0
    name = proposal(channel.network).stem
    assert member(channel.network, "approve", name, "--as", "municipality") == 0
    assert channel.validators() == before.ids == (1, 2, 3, 4), "two of five are no majority"
    # The last approval goes to the fifth's own peer first, which only follows and passes it on.
    channel.under_load(lambda: approve_by(channel.network, FIFTH))
    assert channel.validators() == (1, 2, 3, 4, 5)
    channel.agree()
    assert channel.headers_name_validators_from_the_next_block_on(before.set_hash)
    capsys.readouterr()
    assert member(channel.network, "list") == 0
    assert "   5 SchoolMSP" in capsys.readouterr().out


def consenter_metadata(block: Block) -> ConsenterMetadata:
    signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    return decode_consenter_metadata(signed.consenter_metadata_raw)


def sealed_by(block: Block) -> set[int]:
    certificate = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    return {signature.consenter_id for signature in certificate.signatures}


def test_blocks_need_four_of_five_and_the_fifth_signs(channel: Channel) -> None:
    async def scene() -> list[set[int]]:
        head = await agreed_head(channel.network)
        down(channel.network.plan, ["utility"])
        [offer] = await channel.community.offers(1)
        await place_one(channel.client, offer)
        dso = channel.network.plan.member("dso")
        blocks = await blocks_of(channel.network, dso, head.height, head.height)
        return [sealed_by(block) for block in blocks]

    assert channel.run(scene()) == [{1, 2, 3, 5}]
    up(channel.network.plan)
    channel.agree()


def test_a_removal_that_would_stop_the_channel_names_who_is_down(channel: Channel, capsys) -> None:
    assert member(channel.network, "propose", "remove", FIFTH) == 0
    name = proposal(channel.network).stem
    assert member(channel.network, "approve", name, "--as", "dso") == 0
    down(channel.network.plan, ["municipality", "utility"])
    capsys.readouterr()
    assert member(channel.network, "approve", name, "--as", "utility") == 1
    wrong = capsys.readouterr().err
    assert "QUORUM_AT_RISK" in wrong
    assert "validator 2 (MunicipalityMSP" in wrong
    assert "validator 4 (UtilityMSP" in wrong
    proposal(channel.network).unlink()
    up(channel.network.plan)
    channel.agree()
    assert channel.validators() == (1, 2, 3, 4, 5)


def test_the_fifth_validator_begins_anew_from_the_genesis_block(channel: Channel) -> None:
    """There it is no validator yet, while the others know it as one."""
    down(channel.network.plan, [FIFTH])
    resync(channel.network.plan, FIFTH)
    up(channel.network.plan, [FIFTH])
    channel.agree()


def test_the_fifth_validator_leaves_under_load_and_goes_on_following(channel: Channel) -> None:
    channel.change_under_load("remove", FIFTH)
    assert channel.validators() == (1, 2, 3, 4)
    channel.place()
    channel.agree()  # the one removed included


def test_a_member_whose_peer_only_follows_goes_on_having_a_say(channel: Channel, capsys) -> None:
    """Its own peer takes no update, so another member's validator is asked."""
    network = channel.network
    assert cert(network, "issue", FIFTH, "pupil") == 0
    pupil = network.layout.member(FIFTH).user("pupil").certificate
    assert cert(network, "revoke", FIFTH, str(pupil)) == 0
    assert pending(network.layout) == [], "its own administrator is enough"
    assert member(network, "propose", "limits", "--max-transactions", "490") == 0
    approve_by(network, "municipality", FIFTH)
    capsys.readouterr()
    config = channel.run(channel_of(network, "dso")).config
    assert config.batch_limits.max_transactions == 490
    channel.agree()


def test_who_has_no_say_is_told_whose_it_is(channel: Channel, capsys) -> None:
    """What its own administrator has signed and nobody could take waits for that one alone."""
    network = channel.network
    assert cert(network, "issue", FIFTH, "parent") == 0
    parent = network.layout.member(FIFTH).user("parent").certificate
    down(network.plan, ["cooperative", "municipality", "dso", "utility"])
    capsys.readouterr()
    assert cert(network, "revoke", FIFTH, str(parent)) == 1
    assert "no validator takes the update" in capsys.readouterr().err
    name = proposal(network).stem
    assert member(network, "approve", name, "--as", "dso") == 1
    assert (
        "DsoMSP has no say here: signed by SchoolMSP; enough: one of them approves it again"
        in capsys.readouterr().err
    )
    up(network.plan)
    channel.agree()
    assert member(network, "approve", name, "--as", FIFTH) == 0
    assert pending(network.layout) == []
    channel.agree()


def test_a_validator_gets_a_new_key_under_load(channel: Channel) -> None:
    before = channel.run(channel_of(channel.network, "dso")).config
    old = {one.consenter_id: one for one in before.consenters}

    def rotate() -> None:
        assert cert(channel.network, "rotate", "dso", "--new-key") == 0
        approve_by(channel.network, "cooperative", "utility")

    channel.under_load(rotate)
    after = channel.run(channel_of(channel.network, "dso")).config
    new = {one.consenter_id: one for one in after.consenters}
    for name in ("identity_pem", "server_tls_cert"):
        keys = [parse_certificate(getattr(c[3], name)).public_key_der for c in (old, new)]
        assert keys[0] != keys[1]


def test_a_new_key_is_refused_while_another_is_down(channel: Channel, capsys) -> None:
    assert cert(channel.network, "rotate", "dso", "--new-key") == 0
    name = proposal(channel.network).stem
    assert member(channel.network, "approve", name, "--as", "municipality") == 0
    down(channel.network.plan, ["utility"])
    capsys.readouterr()
    assert member(channel.network, "approve", name, "--as", "cooperative") == 1
    wrong = capsys.readouterr().err
    assert "QUORUM_AT_RISK" in wrong
    assert "validator 4 (UtilityMSP" in wrong
    # With the utility down, the key that dso got before is needed for every quorum.
    channel.place()
    down(channel.network.plan, ["dso"])
    up(channel.network.plan)
    channel.agree()
    approve_by(channel.network, "cooperative")


def moved(network: RunningNetwork, member_id: str) -> RunningNetwork:
    """The same network with another port for one validator written into its plan."""
    old = network.plan.member(member_id).validator_port
    text = network.plan_path.read_text(encoding="utf-8")
    assert text.count(f"validator_port = {old}\n") == 1
    text = text.replace(f"validator_port = {old}\n", f"validator_port = {free_port_range(1)}\n")
    network.plan_path.write_text(text, encoding="utf-8")
    return RunningNetwork(load_plan(network.plan_path), network.layout, network.plan_path)


def test_a_validator_moves_and_is_sought_where_the_channel_says(channel: Channel, capsys) -> None:
    """Nobody listens at the new address before the update; the others' files keep the old one."""
    network = moved(channel.network, "dso")
    assert member(network, "propose", "replace", "dso") == 0
    name = proposal(network).stem
    assert member(network, "approve", name, "--as", "municipality") == 0
    down(network.plan, ["utility"])
    capsys.readouterr()
    assert member(network, "approve", name, "--as", "dso") == 1
    wrong = capsys.readouterr().err
    assert "QUORUM_AT_RISK" in wrong
    assert "moves there from" in wrong
    assert "validator 4 (UtilityMSP" in wrong
    up(channel.network.plan, ["utility"])
    channel.agree()
    approve_once_all_are_reached(network, "dso")
    down(network.plan, ["dso"])
    up(network.plan, ["dso"])
    channel.network = network
    channel.agree()
    down(network.plan, ["utility"])
    channel.place()  # three of four are needed, so the one that moved is
    up(network.plan)
    channel.agree()


def test_new_limits_hold_from_the_next_block_on(channel: Channel) -> None:
    change(channel.network, "limits", "--max-transactions", "1", approve=OTHERS)

    async def scene() -> None:
        before = await agreed_head(channel.network)
        offers = await channel.community.offers(8)
        opened = await agreed_head(channel.network)
        await asyncio.gather(*(place_one(channel.client, offer) for offer in offers))
        after = await agreed_head(channel.network, at_least=opened.height + 8)
        dso = channel.network.plan.member("dso")
        blocks = await blocks_of(channel.network, dso, before.height, after.height - 1)
        assert {len(block.entries) for block in blocks} == {1}
        assert {block.metadata[SLOT_TRANSACTIONS_FILTER] for block in blocks} == {b"\0"}

    channel.run(scene())
    change(channel.network, "limits", "--max-transactions", "500", approve=OTHERS)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("limits", "--max-bytes", "1"), "LIMIT_OUT_OF_BOUNDS"),
        (("limits",), "CONFIG_UNCHANGED"),
        (("remove", "utility"), "TOO_FEW_VALIDATORS"),
        (("add", "utility"), "there is a validator 4 already"),
        (("add", FIFTH), "VALIDATOR_ID_REUSED"),
        (("add", "nobody"), "there is no peer 'nobody'"),
        (("replace", "utility"), "CONFIG_UNCHANGED"),
    ],
)
def test_proposals_that_could_never_be_are_not_written(channel, capsys, words, reason) -> None:
    assert member(channel.network, "propose", *words) == 1
    assert reason in capsys.readouterr().err
    assert pending(channel.network.layout) == []


def test_an_outdated_proposal_is_named_and_has_no_effect(channel: Channel, capsys) -> None:
    network = channel.network
    assert member(network, "propose", "limits", "--max-transactions", "400") == 0
    outdated = proposal(network)
    kept = outdated.read_bytes()
    outdated.unlink()
    change(network, "limits", "--max-transactions", "450", approve=OTHERS)
    outdated.write_bytes(kept)
    capsys.readouterr()
    assert member(network, "approve", outdated.stem, "--as", "dso") == 1
    assert "CONFIG_OUTDATED" in capsys.readouterr().err
    assert member(network, "list") == 0
    assert "OUTDATED" in capsys.readouterr().out
    assert member(network, "withdraw", outdated.stem, "--as", "dso") == 1
    assert "is CooperativeMSP's, not DsoMSP's" in capsys.readouterr().err
    assert member(network, "withdraw", outdated.stem, "--as", "cooperative") == 0
    assert pending(network.layout) == []


def test_who_approves_twice_is_told_so_and_counts_once(channel: Channel, capsys) -> None:
    network = channel.network
    assert member(network, "propose", "limits", "--max-transactions", "333") == 0
    name = proposal(network).stem
    capsys.readouterr()
    assert member(network, "approve", name, "--as", "cooperative") == 0
    assert "CooperativeMSP has signed it before" in capsys.readouterr().out
    assert member(network, "withdraw", name, "--as", "cooperative") == 0


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"{}", b'{"id": "x", "title": "", "sequence": 0}']
)
def test_a_file_that_is_no_proposal(channel: Channel, capsys, tmp_path, content) -> None:
    path = tmp_path / "proposal.json"
    path.write_bytes(content)
    assert member(channel.network, "approve", str(path), "--as", "dso") == 1
    assert "is no proposal" in capsys.readouterr().err


def test_a_revoked_client_may_do_nothing_more(channel: Channel, capsys) -> None:
    async def fails() -> aio.AioRpcError | None:
        [offer] = await channel.community.offers(1)
        try:
            await place_one(channel.client, offer)
        except aio.AioRpcError as error:
            return error
        return None

    async def victim() -> bytes:
        [offer] = await channel.community.offers(1)
        return offer.household.identity.certificate_pem

    assert channel.run(fails()) is None
    pem = channel.run(victim())
    path = channel.network.layout.root / "victim.crt"
    path.write_bytes(pem)
    assert cert(channel.network, "revoke", "cooperative", str(path)) == 0
    assert pending(channel.network.layout) == [], "its own administrator is enough"
    channel.agree()
    error = channel.run(fails())
    assert error is not None
    details = [one.message for one in peer_errors(error)]
    assert details
    assert all("CERTIFICATE_REVOKED" in text for text in details)
    assert cert(channel.network, "revoke", "dso", str(path)) == 1
    assert "was not issued by" in capsys.readouterr().err
    before = channel.run(channel_of(channel.network, "dso")).config.sequence
    assert cert(channel.network, "revoke", "cooperative", str(path)) == 0
    assert "is revoked already; nothing was proposed" in capsys.readouterr().out
    assert channel.run(channel_of(channel.network, "dso")).config.sequence == before


def test_the_certificate_of_a_peer_is_revoked_only_when_that_is_meant(
    channel: Channel, capsys
) -> None:
    network = channel.network
    path = network.layout.member("dso").credential("peer").certificate
    assert cert(network, "revoke", "dso", str(path)) == 1
    assert "the certificate of the peer dso" in capsys.readouterr().err
    assert not network.layout.member("dso").revocation_list.exists()
    admin = network.layout.member("dso").credential("admin").certificate
    content = admin.read_bytes()
    assert cert(network, "rotate", "dso", "--only", "admin") == 0
    former = network.layout.root / "former-admin.crt"
    former.write_bytes(content)
    shown = admin.read_bytes()
    assert cert(network, "revoke", "dso", str(former)) == 0
    channel.agree()
    admin.write_bytes(content)
    try:
        cert(network, "status")
    finally:
        admin.write_bytes(shown)
    marked = [line for line in capsys.readouterr().out.splitlines() if "REVOKED" in line]
    assert [line.split()[:2] for line in marked] == [["dso", "admin"]]


def test_the_address_for_clients_changes_by_a_proposal(channel: Channel) -> None:
    network = channel.network
    [dso] = [one for one in network.plan.members if one.id == "dso"]
    text = network.plan_path.read_text(encoding="utf-8")
    free = free_port_range(1)
    assert text.count(f"port = {dso.port}\n") == 1
    moved = text.replace(f"port = {dso.port}\n", f"port = {free}\n")
    network.plan_path.write_text(moved, encoding="utf-8")
    try:
        change(network, "replace", "dso", approve=("dso",))
    finally:
        network.plan_path.write_text(text, encoding="utf-8")
    config = channel.run(channel_of(network, "cooperative")).config
    [member_of_dso] = [one for one in config.members if one.mspid == "DsoMSP"]
    assert member_of_dso.anchor_peers == ((dso.host, free),)
    assert member(network, "propose", "replace", "dso", "--as", "dso") == 0
    assert pending(network.layout) == [], "its own administrator is enough"
    channel.agree()


def test_every_change_is_in_every_ledger(channel: Channel) -> None:
    """Who was removed meanwhile follows like the others."""
    channel.agree()
    down(channel.network.plan)
    layout = channel.network.layout
    heights = {verify_member(layout.member(m.id), layout) for m in channel.network.plan.members}
    assert len(heights) == 1

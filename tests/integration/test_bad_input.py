"""What a running network refuses: a clear status with details, and nothing changes."""

from collections.abc import Iterator

import grpc
import pytest
from grpc import aio

from ledger.client.refusals import peer_errors
from ledger.rpc.transport import CLIENT_MESSAGE_BYTES_MAX
from tests.integration.market_scene import MINUTE_MS, now_ms
from tests.integration.refusals import (
    Scene,
    endorsed_offer,
    forged_payload,
    offer_arguments,
    refused_call,
    refused_endorsement,
    refused_order,
    refused_submit,
    running_scene,
    with_high_s,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_scene(tmp_path_factory.mktemp("bad-input")) as running:
        yield running


# -- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [
        "/gateway.Gateway/Endorse",
        "/gateway.Gateway/Evaluate",
        "/gateway.Gateway/Submit",
        "/gateway.Gateway/CommitStatus",
        "/gateway.Gateway/ChaincodeEvents",
        "/protos.Endorser/ProcessProposal",
    ],
)
@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b""], ids=["garbage", "empty"])
def test_malformed_requests_are_refused(scene: Scene, method: str, raw: bytes) -> None:
    async def act() -> None:
        async with scene.market.unchanged():
            error = await refused_call(scene, method, raw)
        assert error.code() in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.PERMISSION_DENIED,  # an empty request names no channel
        )
        assert error.details()
        if raw:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert "MALFORMED" in error.details()

    scene.market.run(act())


def test_a_malformed_transaction_is_not_ordered(scene: Scene) -> None:
    async def act() -> None:
        async with scene.market.unchanged():
            nothing = scene.market.propose(scene.home.identity, "market:place_offer")
            error = await refused_submit(scene, nothing, b"\xff\xff", b"\xff")
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "MALFORMED" in error.details()

    scene.market.run(act())


def test_another_channel_is_refused_everywhere(scene: Scene) -> None:
    home, market = scene.home, scene.market

    async def act() -> None:
        _, good = await endorsed_offer(scene, home)
        elsewhere = market.propose(
            home.identity, "market:place_offer", *offer_arguments(scene), channel_id="elsewhere"
        )
        async with market.unchanged():
            # The request names its own channel, the proposal another.
            with pytest.raises(aio.AioRpcError) as caught:
                await market.client.endorse(elsewhere, home.identity.sign(elsewhere.raw))
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert "name different channels" in caught.value.details()

            payload = forged_payload(home.identity, elsewhere, good)
            error = await refused_submit(scene, elsewhere, payload, home.identity.sign(payload))
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "WRONG_CHANNEL" in error.details()

    scene.market.run(act())


def test_oversized_messages_are_refused(scene: Scene) -> None:
    home, market = scene.home, scene.market
    mebibyte = "x" * (1024 * 1024 + 1)

    async def act() -> None:
        _, good = await endorsed_offer(scene, home)
        too_long = market.propose(home.identity, "registry:get_participant", mebibyte)
        async with market.unchanged():
            assert "OVERSIZED" in await refused_endorsement(scene, home.identity, too_long)

            payload = forged_payload(home.identity, too_long, good)
            error = await refused_submit(scene, too_long, payload, home.identity.sign(payload))
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert "OVERSIZED" in error.details()

            huge = bytes(CLIENT_MESSAGE_BYTES_MAX + 1)
            error = await refused_call(scene, "/gateway.Gateway/Submit", huge)
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

    scene.market.run(act())


# -- identities and signatures --------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason",
    ["UNKNOWN_MEMBER", "CERTIFICATE_INVALID", "CERTIFICATE_EXPIRED", "CERTIFICATE_REVOKED"],
)
def test_who_is_no_member_now_can_do_nothing(scene: Scene, reason: str) -> None:
    market, stranger = scene.market, scene.strangers[reason]

    async def act() -> None:
        good_proposal, good = await endorsed_offer(scene, scene.home)
        proposal = market.propose(stranger, "market:place_offer", *offer_arguments(scene))
        async with market.unchanged():
            assert reason in await refused_endorsement(scene, stranger, proposal)

            payload = forged_payload(stranger, proposal, good)
            error = await refused_submit(scene, proposal, payload, stranger.sign(payload))
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert reason in error.details()

            with pytest.raises(aio.AioRpcError) as caught:
                await market.ask(stranger, "market:get_listing", scene.listing)
            assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
            assert reason in caught.value.details()

            with pytest.raises(aio.AioRpcError) as caught:
                await market.client.commit_status(good_proposal.tx_id, stranger)
            assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
            assert reason in caught.value.details()

    scene.market.run(act())


def test_signatures_with_high_s_are_refused(scene: Scene) -> None:
    home, market = scene.home, scene.market

    async def act() -> None:
        proposal, payload = await endorsed_offer(scene, home)
        async with market.unchanged():
            fresh = market.propose(home.identity, "market:place_offer", *offer_arguments(scene))
            signature = with_high_s(home.identity.sign(fresh.raw))
            reason = await refused_endorsement(scene, home.identity, fresh, signature)
            assert "HIGH_S_SIGNATURE" in reason

            signature = with_high_s(home.identity.sign(payload))
            error = await refused_submit(scene, proposal, payload, signature)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "HIGH_S_SIGNATURE" in error.details()

    scene.market.run(act())


def test_somebody_elses_signature_is_refused(scene: Scene) -> None:
    home, other, market = scene.home, scene.neighbour, scene.market

    async def act() -> None:
        proposal, payload = await endorsed_offer(scene, home)
        async with market.unchanged():
            error = await refused_submit(scene, proposal, payload, other.identity.sign(payload))
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "BAD_SIGNATURE" in error.details()
            [detail] = peer_errors(error)
            assert detail.message.startswith(
                "received unsuccessful response from orderer: status=FORBIDDEN"
            )

    scene.market.run(act())


# -- the market's own rules -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("energy_wh", "price", "code"),
    [
        ("0", "50000", "ENERGY_MISSING"),
        ("-5", "50000", "ENERGY_MISSING"),
        ("1000", "0", "OFFER_PRICE_NOT_POSITIVE"),
        ("1000", "-1", "OFFER_PRICE_NOT_POSITIVE"),
    ],
)
def test_amounts_that_are_not_positive_are_refused(
    scene: Scene, energy_wh: str, price: str, code: str
) -> None:
    async def act() -> None:
        arguments = (scene.listing, scene.home.res_id, energy_wh, price)
        message = await refused_order(scene, scene.home, "market:place_offer", *arguments)
        assert message.startswith(f"chaincode response 422, {code}: ")

    scene.market.run(act())


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_money_that_is_not_positive_is_not_issued(scene: Scene, amount: str) -> None:
    market = scene.market

    async def act() -> None:
        proposal = market.propose(
            market.manager, "tokens:deposit", scene.home.idgrid, amount, "nothing"
        )
        async with market.unchanged():
            message = await refused_endorsement(scene, market.manager, proposal)
        assert message.startswith("chaincode response 422, NOT_POSITIVE: ")

    scene.market.run(act())


@pytest.mark.row("E004")
def test_an_offer_without_an_own_source_is_refused(scene: Scene) -> None:
    async def act() -> None:
        for res_id in ("no-such-source", scene.neighbour.res_id):
            message = await refused_order(
                scene, scene.home, "market:place_offer", scene.listing, res_id, "1000", "50000"
            )
            assert message.startswith("chaincode response 403, RES_REQUIRED: ")
        message = await refused_order(
            scene, scene.home, "market:place_offer", scene.listing, "", "1000", "50000"
        )
        assert "INVALID_ARGUMENT" in message

    scene.market.run(act())


def test_an_unknown_listing_is_refused(scene: Scene) -> None:
    async def act() -> None:
        for function, arguments in (
            ("market:place_offer", ("2031-01-01T00", scene.home.res_id, "1000", "50000")),
            ("market:place_bid", ("2031-01-01T00", "1000", "60000")),
        ):
            message = await refused_order(scene, scene.home, function, *arguments)
            assert message.startswith("chaincode response 404, UNKNOWN_LISTING: ")

    scene.market.run(act())


def test_orders_after_gate_closure_are_refused_by_clock_and_by_state(scene: Scene) -> None:
    market = scene.market

    async def act() -> None:
        closed_at = now_ms() - MINUTE_MS
        listing = await market.open_listing(
            opens_at_ms=closed_at - MINUTE_MS, gate_closure_ms=closed_at
        )
        arguments = (listing, scene.home.res_id, "1000", "50000")
        message = await refused_order(scene, scene.home, "market:place_offer", *arguments)
        assert message.startswith("chaincode response 409, BIDS_CLOSED: ")

        # A client whose clock says that it is still in time is stopped by the listing's state.
        await market.submit(market.manager, "market:close_bidding", listing)
        message = await refused_order(
            scene, scene.home, "market:place_offer", *arguments, at_ms=closed_at - 1
        )
        assert message.startswith("chaincode response 409, BIDS_CLOSED: ")

        # And a clock that is far behind is not believed at all.
        proposal = market.propose(
            scene.home.identity,
            "market:place_offer",
            *arguments,
            at_ms=now_ms() - 16 * MINUTE_MS,
        )
        message = await refused_endorsement(scene, scene.home.identity, proposal)
        assert "TIMESTAMP_OUT_OF_WINDOW" in message

    scene.market.run(act())

"""The running system as its users meet it: HTTP in front, four validators behind."""

import asyncio
import json
from typing import Any

import pytest

from gateway.demo.registration import DEPOSIT_UTOKEN
from gateway.errors import LedgerRefusal
from gateway.ledger_access.refusals import refusal_code
from network.cli import main
from tests.e2e.scene import (
    HASH,
    HOURS,
    HOUSEHOLDS,
    Scene,
    endorsed,
    play,
)

pytestmark = pytest.mark.slow


def test_the_summary_says_that_everything_holds(demo):
    text = "".join(demo.output)
    assert f"Summary of {HOURS} market hours, {HOUSEHOLDS} homes" in text
    assert "money conserved     yes" in text
    hashes = {line.split()[2] for line in demo.output if "state hash" in line}
    assert len(hashes) == 1
    assert sum("state hash" in line for line in demo.output) == 4
    assert "all invariants hold" in text


@pytest.mark.row("E016")
def test_every_hour_had_a_listing_on_every_peer_without_manual_action(demo):
    async def scene(it: Scene) -> None:
        found = await it.on_every_peer("market:list_listings", "2016-01-01T00", "2017-01-01T00")
        assert len(set(found)) == 1
        ids = [listing["listing_id"] for listing in json.loads(found[0])]
        assert ids == ["2016-08-01T20", "2016-08-01T21"]

    play(demo, scene)


@pytest.mark.row("E046")
def test_four_peers_have_the_identical_result(demo):
    async def scene(it: Scene) -> None:
        found = await it.on_every_peer("market:get_result", "2016-08-01T20")
        assert len(set(found)) == 1
        path, manager = "/v1/listings/2016-08-01T20/result", await it.manager_session()
        shown = (await it.http.get(path, headers=manager)).json()
        assert shown == json.loads(found[0])
        for_all = (await it.http.get(path)).json()
        assert for_all == shown | {"matches": []}

    play(demo, scene)


@pytest.mark.row("E053")
def test_a_settled_hour_is_not_settled_again(demo):
    async def scene(it: Scene) -> None:
        before = await it.on_every_peer("tokens:audit")
        with pytest.raises(LedgerRefusal) as refusal:
            await it.actors["scheduler"].submit("market:settle", "2016-08-01T20")
        assert refusal_code(refusal.value) == "ALREADY_SETTLED"
        assert await it.on_every_peer("tokens:audit") == before

    play(demo, scene)


def test_a_settled_hour_has_a_receipt_that_the_command_checks_offline(demo, tmp_path, capsys):
    async def scene(it: Scene) -> None:
        manager = await it.manager_session()
        path = "/v1/settlements/2016-08-01T20/receipt"
        answer = await it.http.get(f"{path}?idgrid={it.idgrid(0)}", headers=manager)
        assert answer.status_code == 200, answer.text
        (tmp_path / "hour.receipt").write_bytes(answer.content)
        listed = await it.http.get("/v1/validators")
        (tmp_path / "validators.json").write_bytes(listed.content)

    play(demo, scene)
    receipt, genesis = tmp_path / "hour.receipt", demo.layout.genesis_block
    trusts = (("--validators", tmp_path / "validators.json"), ("--genesis", genesis))
    for option, file in trusts:
        assert main(["verify-receipt", str(receipt), option, str(file)]) == 0
        told = capsys.readouterr().out
        assert "PROVEN: household" in told
        assert "hour from 2016-08-01T20 UTC" in told
    receipt.write_bytes(receipt.read_bytes()[:-1] + b"!")
    assert main(["verify-receipt", str(receipt), "--genesis", str(genesis)]) == 1


@pytest.mark.row("E056")
def test_an_account_is_the_sum_of_its_settlements_and_deals(demo):
    async def scene(it: Scene) -> None:
        manager = await it.manager_session()
        posts = (await it.http.get("/v1/marketplace/posts", headers=manager)).json()["items"]
        deals = [post for post in posts if post["state"] == "SETTLED"]
        traded_wh = 0
        for number in range(HOUSEHOLDS):
            url = f"/v1/accounts/{it.idgrid(number)}"
            account = (await it.http.get(url, headers=manager)).json()
            lines = (await it.http.get(f"{url}/settlements", headers=manager)).json()["items"]
            total = {
                name: sum(line[name] for line in lines)
                for name in ("sold_wh", "bought_wh", "received_utoken", "paid_utoken")
            }
            for side, energy, money in (
                ("seller_idgrid", "sold_wh", "received_utoken"),
                ("buyer_idgrid", "bought_wh", "paid_utoken"),
            ):
                own = [deal for deal in deals if deal[side] == it.idgrid(number)]
                total[energy] += sum(deal["delivered_wh"] for deal in own)
                total[money] += sum(deal["paid_utoken"] for deal in own)
            assert account["sold_wh"] == total["sold_wh"]
            assert account["bought_wh"] == total["bought_wh"]
            assert account["balance_utoken"] + account["locked_utoken"] == (
                DEPOSIT_UTOKEN + total["received_utoken"] - total["paid_utoken"]
            )
            traded_wh += total["sold_wh"]
        assert traded_wh > 0

    play(demo, scene)


@pytest.mark.row("E001")
def test_an_idgrid_is_given_once_and_is_the_same_on_every_peer(demo):
    async def scene(it: Scene) -> None:
        manager = it.demo.settings.staff["community_manager"].load()
        taken = it.idgrid(0)
        register = "registry:register_participant"
        for args, status, code in (
            ([taken, "prosumer", HASH], 409, "ALREADY_EXISTS"),
            (["", "prosumer", HASH], 422, "INVALID_ARGUMENT"),
            (["not an IDgrid", "prosumer", HASH], 422, "INVALID_ARGUMENT"),
            ([], 422, None),
        ):
            answer = await endorsed(it, manager, register, args)
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == status
            assert code in (None, answer.json()["code"])
        found = await it.on_every_peer("registry:get_participant", taken)
        assert len(set(found)) == 1
        shown = await it.http.get(f"/v1/participants/{taken}", headers=await it.manager_session())
        record = shown.json()
        balance = [record.pop(name) for name in ("balance_utoken", "locked_utoken")]
        assert all(amount >= 0 for amount in balance)
        assert record == json.loads(found[0])

    play(demo, scene)


async def blocks_from_stream(it: Scene, cursor: str, last: int) -> list[tuple[str, Any]]:
    """(event id, data) after the cursor up to block `last`; then the connection is dropped."""
    seen: list[tuple[str, Any]] = []
    fields: dict[str, str] = {}
    async with (
        asyncio.timeout(60),
        it.http.stream("GET", "/v1/events", headers={"Last-Event-ID": cursor}) as response,
    ):
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            fields |= {name: value} if name else {}
            if not line and "data" in fields:  # a blank line ends an event
                seen.append((fields["id"], json.loads(fields["data"])))
                fields = {}
                if seen[-1][0] == str(last):
                    break
    return seen


async def recorded_events(it: Scene, number: int) -> list[dict[str, Any]]:
    """The events of a block's valid transactions, from the explorer instead of the stream."""
    block = (await it.http.get(f"/v1/blocks/{number}")).json()
    return [
        {
            "transaction_id": shown["transaction_id"],
            "name": shown["event"],
            "payload": shown["event_payload"],
        }
        for shown in block["transactions"]
        if shown["status"] == "valid" and shown["event"] is not None
    ]


@pytest.mark.row("E113")
def test_a_client_that_was_offline_misses_no_event(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        before = await blocks_from_stream(it, "0", last=5)
        cursor = before[-1][0]
        assert cursor == "5"
        bids = [
            await it.household(number).submit(
                "market:place_bid", [listing_id, "100", "50000"], wait=True
            )
            for number in (1, 2, 3)
        ]
        height = await it.height()
        after = await blocks_from_stream(it, cursor, last=height - 1)

        seen = [data for _, data in before + after]
        assert [block["number"] for block in seen] == list(range(1, height))
        for block in seen:
            assert block["events"] == await recorded_events(it, block["number"])
        events = [event for block in seen for event in block["events"]]
        assert [e["transaction_id"] for e in events if e["transaction_id"] in bids] == bids
        names = {event["name"] for event in events}
        assert {"WindowStarted", "OrderPlaced", "MatchResult", "SettlementState"} <= names

    play(demo, scene)


@pytest.mark.row("E123")
def test_the_explorer_finds_blocks_and_transactions(demo):
    async def scene(it: Scene) -> None:
        block = (await it.http.get("/v1/blocks/5")).json()
        assert len(block["signers"]) >= 3
        assert block["round"] >= 0
        tx_id = block["transaction_ids"][0]
        for query, location in (
            ("5", "/v1/blocks/5"),
            (block["hash"], "/v1/blocks/5"),
            (tx_id, f"/v1/transactions/{tx_id}"),
        ):
            found = (await it.http.get(f"/v1/search?q={query}")).json()["location"]
            assert found == location
            assert (await it.http.get(found)).is_success

    play(demo, scene)


def test_money_adds_up_after_everything_these_tests_did(demo):
    async def scene(it: Scene) -> None:
        money = (await it.http.get("/v1/money")).json()
        assert money["is_conserved"] is True
        audit = json.loads((await it.on_every_peer("tokens:audit"))[0])
        assert audit["difference_utoken"] == 0

    play(demo, scene)

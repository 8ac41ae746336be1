"""Every named scenario runs on the test ledger with the figures of the source documents."""

import pytest

from tests.scenarios.market import (
    buy_and_sell,
    energy_auction,
    five_houses,
    hourly_auction,
    sealed_auction,
)
from tests.scenarios.market.command import EXIT_DIFFERS, EXIT_USAGE, main
from tests.scenarios.market.narration import Differs, Story
from tests.scenarios.market.scenarios import SCENARIOS, Scenario


@pytest.mark.row("E019")
def test_energy_auction_pays_what_arrived_to_the_last_wei() -> None:
    story = Story()
    energy_auction.run(story)
    assert story.figures["escrow"] == 540_000_000_000_000
    assert story.figures["payment"] == 432_000_000_000_000
    assert story.figures["refund"] == 108_000_000_000_000
    assert story.figures["reason"] == "insufficient energy"
    assert story.refusals.keys() >= {"NO_DATA_ACCESS", "INSUFFICIENT_ENERGY", "ALREADY_SETTLED"}


def test_five_houses_trade_in_the_hours_of_the_day_and_in_the_testbeds_words() -> None:
    story = Story()
    five_houses.run(story)
    assert story.figures["value"] == 10**15
    assert story.figures["accounts afterwards"] == [
        *("99.99", "100", "100.00001", "100.01", "99.99999"),
    ]
    assert {code: text.partition(" (")[0] for code, text in story.refusals.items()} == {
        "NOT_OPEN_YET": "the listing does not take orders yet",
        "BIDS_CLOSED": "the listing takes no more orders",
        "OFFER_PRICE_NOT_POSITIVE": "Product price must be greater than zero",
        "ENERGY_MISSING": "Energy must be specified",
        "BID_PRICE_NOT_POSITIVE": "Price must be greater than zero",
        "UNKNOWN_OFFER": "Invalid product ID",
        "SELF_TRADE": "a household either sells or buys in one listing",
        "INSUFFICIENT_FUNDS": "the free balance does not cover the bid",
        "RESERVED": "it is reserved for another household",
        "ALREADY_PURCHASED": "Already purchased",
        "ALREADY_SOLD": "Request already fulfilled",
        "ALREADY_SETTLED": "the listing is settled; settlement happens once",
    }


def test_the_hourly_auction_clears_at_the_average_bid() -> None:
    story = Story()
    hourly_auction.run(story)
    assert story.figures["MCP"] == 50_000
    assert story.figures["paid"] == 400_000
    assert story.figures["listings alive"] == 2
    assert (story.figures["minted"], story.figures["moved with the trade"]) == (10_000, 8_000)


def test_buy_and_sell_tables_show_every_label() -> None:
    story = Story()
    buy_and_sell.run(story)
    shown = [story.figures["buy table"], story.figures["sell table"]]
    labels = {label for table in shown for _, _, label in table}  # type: ignore[attr-defined]
    assert labels == {"Buy", "Purchased", "Request to Sell", "Requested for Sell", "Sold"}
    assert story.figures["sold for"] == 14


def test_sealed_orders_are_hidden_from_every_member_until_the_gate_closes() -> None:
    story = Story()
    sealed_auction.run(story)
    assert story.figures["prices found"] == []
    assert story.figures["matched"] == 3_000
    assert story.refusals.keys() >= {"SEALED_ONLY", "TOO_EARLY", "BAD_OPENING"}


def test_the_command_lists_tells_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[str] = []
    assert main([], written.append) == 0
    assert all(f"  {name} " in "".join(written) for name in SCENARIOS)
    assert main(["nothing"], written.append) == EXIT_USAGE
    assert "there is none called 'nothing'" in capsys.readouterr().err
    written.clear()
    assert main(["energy-auction"], written.append) == 0
    assert "payment: 432000000000000 wei" in "".join(written)


def test_a_figure_that_differs_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(story: Story) -> None:
        story.figure("payment", 1, 2, "wei")

    monkeypatch.setitem(SCENARIOS, "wrong", Scenario("", differs))
    written: list[str] = []
    assert main(["wrong"], written.append) == EXIT_DIFFERS
    assert "DIFFERS: payment: 1 wei, the document says 2 wei" in "".join(written)
    with pytest.raises(Differs):
        differs(Story())

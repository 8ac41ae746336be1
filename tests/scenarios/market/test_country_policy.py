"""A policy file decides what the market of a country may do: offers become feed-in orders."""

import json

import pytest

from network.cli import main
from network.planning.country_policy import BadPolicy, load_policy, parse_policy, shipped_policies
from tests.unit.energy.community import FLOOR, LISTING, Community, Household, refuses

PRICES = {"floor_utoken_per_kwh": FLOOR, "cap_utoken_per_kwh": 102_000}


def community_under(policy: str) -> tuple[Community, Household, Household]:
    community = Community.found()
    seller, buyer = community.join(), community.join()
    pinned = dict(load_policy(policy).listing) | {"preset": "energy_auction"} | PRICES
    community.manager.submit("listings:set_defaults", pinned)
    community.scheduler.submit("listings:AuthorizeOfferCom", LISTING)
    return community, seller, buyer


@pytest.mark.row("E139")
def test_where_direct_trade_is_forbidden_an_offer_becomes_a_feed_in_order() -> None:
    community, seller, buyer = community_under("chile")
    order = community.offer(seller, 5_000, 90_000)
    assert (order["source"], order["price_utoken_per_kwh"]) == ("feed_in", FLOOR)
    assert community.ledger.events[-1].value["source"] == "feed_in"
    bid = (buyer.client, "market:place_bid", LISTING, 5_000, 90_000)
    refuses(community, "DIRECT_TRADE_FORBIDDEN", *bid)
    result = community.close_and_clear()
    assert (result["quantity_wh"], result["price_utoken_per_kwh"]) == (0, None)
    community.deliver({seller.idgrid: (0, 5_000), buyer.idgrid: (2_000, 0)})
    settled = community.settle()
    assert settled["settled_wh"] == 0
    line = seller.client.evaluate("market:get_line", LISTING, seller.idgrid)
    assert (line["sold_to_utility_wh"], line["owed_by_utility_utoken"]) == (5_000, 5 * FLOOR)
    line = buyer.client.evaluate("market:get_line", LISTING, buyer.idgrid)
    assert line["bought_from_utility_wh"] == 2_000


@pytest.mark.parametrize("policy", ["austria", "open"])
def test_the_same_orders_trade_where_the_law_allows_it(policy: str) -> None:
    community, seller, buyer = community_under(policy)
    assert community.offer(seller, 5_000, 40_000)["source"] == "order"
    community.bid(buyer, 5_000, 90_000)
    assert community.close_and_clear()["quantity_wh"] == 5_000


def test_the_bulletin_of_lots_is_closed_as_well_and_no_listing_escapes_the_law() -> None:
    community, seller, buyer = community_under("chile")
    post = (seller.client, "marketplace:post_offer", LISTING, seller.res_id, 1_000, 90_000)
    refuses(community, "DIRECT_TRADE_FORBIDDEN", *post)
    request = (buyer.client, "marketplace:post_request", LISTING, 1_000, 90_000)
    refuses(community, "DIRECT_TRADE_FORBIDDEN", *request)
    other = "2026-01-15T11"
    lawless = (community.manager, "market:open_listing", other, {"allows_direct_trade": True})
    refuses(community, "DIRECT_TRADE_FORBIDDEN", *lawless)
    sealed = (community.manager, "market:open_listing", other, {"is_sealed": True})
    refuses(community, "INVALID_ARGUMENT", *sealed)


def test_every_shipped_policy_is_taken_by_the_ledger() -> None:
    assert {"austria", "chile", "open"} <= set(shipped_policies())
    for name in shipped_policies():
        policy = load_policy(name)
        assert policy.allows_direct_trade == (name != "chile")
        Community.found().manager.submit("listings:set_defaults", dict(policy.listing) | PRICES)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("country = ", "not TOML"),
        ('country = "X"', "title must be a text"),
        ('country = "X"\ntitle = "T"\nbasis = "B"\nlaw = 1', "unknown entry 'law'"),
        ('country = "X"\ntitle = "T"\nbasis = "B"\nlisting = 1', "must be a table"),
        ('country = "X"\ntitle = "T"\nbasis = "B"\n[listing]\nspeed = 1', "has no 'speed'"),
        (
            'country = "X"\ntitle = "T"\nbasis = "B"\n[listing]\nallows_direct_trade = 0',
            "must be true or false",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(BadPolicy, match=problem) as refusal:
        parse_policy(text)
    assert "\n" not in str(refusal.value)


def test_the_command_lists_shows_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy"]) == 0
    assert "chile" in capsys.readouterr().out
    assert main(["policy", "chile"]) == 0
    said = capsys.readouterr().out
    assert "forbidden: offers become feed-in orders" in said
    sent = said.strip().rpartition("parameters=")[2].strip("'")
    assert json.loads(sent) == dict(load_policy("chile").listing)
    assert main(["policy", "/nowhere.toml"]) == 2
    assert "cannot be read" in capsys.readouterr().err

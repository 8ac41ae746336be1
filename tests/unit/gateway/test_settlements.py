"""Notices, statements and other currencies over the state a settled hour really leaves."""

import csv
import io
from fractions import Fraction

import pytest

from chaincode.energy.settlement.planning import AMOUNTS
from gateway.currency import Currencies, Unit, example_units, units_from
from gateway.errors import Problem
from gateway.readmodel.records import Cause
from gateway.statements.statement_files import (
    ACCOUNT,
    AUCTION,
    BALANCE,
    CAUSES,
    CLOSING,
    COUNTED,
    DEAL_ROWS,
    DEALS,
    DEALS_COUNTED,
    GROUP_ROWS,
    GROUPS,
    ISSUED,
    OPENING,
    PRELIMINARY,
    ROWS,
    TITLE,
    UTILITY_BALANCE,
    amount,
)
from gateway.web.statement_page import STATEMENT_TEXTS
from tests.unit.energy.community import LISTING, Community
from tests.unit.energy.settlement.trades import line, settled_trade, substitute
from tests.unit.gateway.api_world import World, assert_problem, play

MONTH = "2026-01"


def settled_hour() -> tuple[Community, str, str]:
    """One trade settled and corrected, the month's statements issued."""
    community, seller, buyer = settled_trade(
        8000, 9000, network_charge_utoken_per_kwh=1000, pool_share_permille=10
    )
    substitute(community, seller, exported_wh=7500)
    community.dso.submit("settlement:correct", LISTING)
    community.ledger.at("2026-02-01T00:00:00Z")
    while community.scheduler.submit("statements:issue", MONTH)["state"] != "ISSUED":
        pass
    return community, seller.idgrid, buyer.idgrid


def over(community: Community, scene) -> None:
    """Play a scene over a gateway whose ledger holds the community's state."""
    state = {key: community.ledger.state(key) or b"" for key in community.ledger.keys("")}

    async def with_state(world: World) -> None:
        body = await world.submission()
        await world.client.post("/v1/transactions?wait=committed", json=body)
        await scene(world)

    play(with_state, contract=lambda function, args: state)


@pytest.mark.row("E057")
def test_both_parties_find_amount_energy_and_window_in_their_inbox():
    community, seller, buyer = settled_hour()

    async def scene(world: World) -> None:
        for idgrid, sign in ((seller, 1), (buyer, -1)):
            household = world.sign_in(idgrid)
            answer = await world.client.get(f"/v1/accounts/{idgrid}/inbox", headers=household)
            notices = {notice["kind"]: notice for notice in answer.json()["items"]}
            settled, corrected = notices["settled"], notices["corrected"]
            assert settled["listing_id"] == corrected["listing_id"] == LISTING
            assert (settled["energy_wh"], settled["amount_utoken"]) == (8000, sign * 432_000)
            assert (corrected["energy_wh"], corrected["amount_utoken"]) == (-500, -sign * 27_000)
            assert (settled["revision"], corrected["revision"]) == (0, 1)
            foreign = f"/v1/accounts/{buyer if idgrid == seller else seller}/inbox"
            refusal = await world.client.get(foreign, headers=household)
            assert_problem(refusal, Problem.FORBIDDEN)
        assert_problem(
            await world.client.get(f"/v1/accounts/{seller}/inbox"), Problem.NOT_SIGNED_IN
        )

    over(community, scene)


def test_an_account_is_the_sum_of_its_settlements():
    community, seller, buyer = settled_hour()

    async def scene(world: World) -> None:
        manager = world.sign_in("", is_manager=True)
        for idgrid, deposited in ((seller, 0), (buyer, 10**6)):
            account = (await world.client.get(f"/v1/accounts/{idgrid}", headers=manager)).json()
            month = (
                await world.client.get(
                    f"/v1/accounts/{idgrid}/statements/{MONTH}", headers=manager
                )
            ).json()
            assert account["sold_wh"] == month["amounts"]["sold_wh"]
            assert account["bought_wh"] == month["amounts"]["bought_wh"]
            assert account["balance_utoken"] == deposited + month["balance_utoken"]
            assert account["locked_utoken"] == 0

    over(community, scene)


@pytest.mark.row("E058")
def test_an_invoice_equals_the_ledger_and_comes_as_csv_and_pdf():
    community, seller, buyer = settled_hour()

    async def scene(world: World) -> None:
        for idgrid in (seller, buyer):
            household = world.sign_in(idgrid)
            get = f"/v1/invoices/{MONTH}"
            content = (await world.client.get(get, headers=household)).json()
            on_ledger = community.manager.evaluate("statements:get", idgrid, MONTH)
            assert content["is_issued"] is True
            assert {name: content[name] for name in on_ledger} == on_ledger

            file = await world.client.get(get, params={"file": "csv"}, headers=household)
            assert file.headers["content-type"] == "text/csv; charset=utf-8"
            assert f"statement-{MONTH}-{idgrid}.csv" in file.headers["content-disposition"]
            settled, corrected, total = csv.DictReader(io.StringIO(file.text))
            assert [row["kind"] for row in (settled, corrected, total)] == [
                "line",
                "correction",
                "sum",
            ]
            for name in AMOUNTS:
                assert int(settled[name]) + int(corrected[name]) == int(total[name])
                assert int(total[name]) == on_ledger["amounts"][name]

            pdf = await world.client.get(get, params={"file": "pdf"}, headers=household)
            assert pdf.headers["content-type"] == "application/pdf"
            assert pdf.content.startswith(b"%PDF-")
            assert pdf.content.rstrip().endswith(b"%%EOF")
            again = await world.client.get(get, params={"file": "pdf"}, headers=household)
            assert again.content == pdf.content

    over(community, scene)


def test_the_account_s_statement_speaks_the_household_s_language():
    community, seller, _ = settled_hour()

    async def scene(world: World) -> None:
        household = world.sign_in(seller)
        get = f"/account/statement-{MONTH}.pdf"
        for language, title in (("es", b"Estado de cuenta"), ("pt", b"Extrato")):
            headers = household | {"accept-language": language}
            pdf = await world.client.get(get, headers=headers)
            assert pdf.headers["content-type"] == "application/pdf"
            assert title + f" {MONTH} {seller}".encode() in pdf.content
        assert (await world.client.get(get)).status_code == 401

    over(community, scene)


def test_every_text_of_a_statement_is_in_the_catalogues():
    shown = {TITLE, ISSUED, PRELIMINARY, BALANCE, UTILITY_BALANCE, COUNTED, DEALS_COUNTED}
    shown |= {AUCTION, DEALS, GROUPS, ACCOUNT, OPENING, CLOSING, *CAUSES.values()}
    shown |= {label for rows in (ROWS, DEAL_ROWS, GROUP_ROWS) for label, _ in rows}
    assert shown == set(STATEMENT_TEXTS)
    assert set(CAUSES) == set(Cause)


def test_the_household_s_account_leads_to_its_statement():
    community, seller, _ = settled_hour()

    async def scene(world: World) -> None:
        page = await world.client.get("/account", headers=world.sign_in(seller))
        for address in (f"/account/statement-{MONTH}.pdf", f"/v1/invoices/{MONTH}?file=csv"):
            assert f'href="{address}"' in page.text
        assert "/v1/invoices/" not in (await world.client.get("/")).text

    over(community, scene)


def test_the_household_s_account_links_the_receipts_of_an_hour_and_of_its_correction():
    community, seller, _ = settled_hour()

    async def scene(world: World) -> None:
        page = await world.client.get("/account", headers=world.sign_in(seller))
        receipt = f"/v1/settlements/{LISTING}/receipt?"
        for which in ("", "revision=1&amp;"):
            for file in ("receipt", "qr"):
                assert f'href="{receipt}{which}file={file}"' in page.text

    over(community, scene)


def test_an_invoice_is_its_own_household_s():
    community, seller, buyer = settled_hour()

    async def scene(world: World) -> None:
        household = world.sign_in(buyer)
        get = f"/v1/invoices/{MONTH}"
        foreign = await world.client.get(get, params={"idgrid": seller}, headers=household)
        assert_problem(foreign, Problem.FORBIDDEN)
        empty = await world.client.get("/v1/invoices/2025-11", headers=household)
        assert_problem(empty, Problem.NOT_FOUND)
        wrong = await world.client.get("/v1/invoices/2026-13", headers=household)
        assert wrong.status_code == Problem.INVALID.value.status
        manager = world.sign_in("", is_manager=True)
        seen = await world.client.get(get, params={"idgrid": seller}, headers=manager)
        assert seen.json()["idgrid"] == seller

    over(community, scene)


def test_a_month_not_issued_or_corrected_since_is_preliminary():
    community, seller, buyer = settled_trade()

    async def before(world: World) -> None:
        household = world.sign_in(seller.idgrid)
        content = (await world.client.get(f"/v1/invoices/{MONTH}", headers=household)).json()
        assert (content["is_issued"], content["run"]) == (False, 0)
        assert content["amounts"]["sold_wh"] == line(community, seller)["sold_wh"]

    over(community, before)
    community.ledger.at("2026-02-01T00:00:00Z")
    community.scheduler.submit("statements:issue", MONTH)
    substitute(community, buyer, imported_wh=1)
    community.dso.submit("settlement:correct", LISTING)

    async def after(world: World) -> None:
        household = world.sign_in(seller.idgrid)
        content = (await world.client.get(f"/v1/invoices/{MONTH}", headers=household)).json()
        assert (content["is_issued"], content["amounts"]["sold_wh"]) == (False, 1)

    over(community, after)


def test_the_published_price_shows_its_local_price():
    async def scene(world: World) -> None:
        shown = (await world.client.get("/v1/currencies", params={"utoken": 60_000})).json()
        assert shown["gwei"] == "60000"
        assert shown["CLP"] == "102.00"
        assert shown["token"] == "0.060000"
        assert shown["ETH"] == "0.000060000"
        assert shown["EUR"] == "0.117241"
        wrong = await world.client.get("/v1/currencies", params={"utoken": "1.5"})
        assert wrong.status_code == Problem.INVALID.value.status

    play(scene)


@pytest.mark.parametrize(
    ("utoken", "digits", "text"),
    [(1, 0, "0"), (2, 0, "1"), (-2, 0, "-1"), (-1, 0, "0"), (3, 1, "1.0"), (15, 2, "5.00")],
)
def test_amounts_are_rounded_half_up_only_where_shown(utoken: int, digits: int, text: str):
    currencies = Currencies({"third": Unit(Fraction(1, 3), digits)})
    assert currencies.shown(utoken, "third") == text


def test_units_are_exact_fractions_of_the_settings():
    raw = {"CLP": {"per_utoken": "102/60000", "digits": 2}}
    assert units_from(raw)["CLP"] == example_units()["CLP"]
    for wrong in ({"per_utoken": "-1", "digits": 0}, {"per_utoken": "1", "digits": 19}):
        with pytest.raises(ValueError):
            units_from({"X": wrong})


def test_statement_amounts_are_written_exactly():
    assert amount("sold_wh", 8_001) == "8.001 kWh"
    assert amount("paid_utoken", -432_000) == "-0.432000 token"

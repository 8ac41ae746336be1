"""Statements, inbox, account page and the manager's check have deals and groups, too."""

import asyncio
import csv
import io
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from chaincode.energy.settlement.planning import AMOUNTS
from gateway.application import create_app
from gateway.identity.sessions import Viewer
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Cause
from gateway.readmodel.tables import MovementRow
from gateway.services import Services
from gateway.statements.month_check import month_check
from gateway.statements.statement_files import DEALS, GROUPS, _in_units, _sections
from tests.support.contract_recording import Recorded, record
from tests.unit.energy.community import Community, Household
from tests.unit.energy.marketplace.scene import call, flow, offer
from tests.unit.gateway.books.busy_street import BusyStreet, busy_street, replayed, seen
from tests.unit.gateway.ledger_double import LedgerDouble, services_over
from tests.unit.gateway.pages import visiting

SEED = 0
MONTHS = ("2026-01", "2026-02")
AFTER_MS = 1_772_323_200_000  # 1 March 2026


@dataclass(frozen=True)
class Papers:
    """A street and the gateway that saw it."""

    community: Community
    services: Services

    def get(self, path: str, home: Household | None = None) -> httpx.Response:
        """As a household, or as the manager."""
        token = home.idgrid if home else "manager"
        self.services.sessions.admit(token, Viewer(home.idgrid if home else "", not home))

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(create_app(self.services))
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", headers=headers
            ) as client:
                return await client.get(path)

        return asyncio.run(asked())


def papers_of(community: Community, readmodel: ReadModel) -> Papers:
    mute = LedgerDouble(lambda _function, _args: {})
    return Papers(community, services_over(mute, lambda: AFTER_MS, readmodel=readmodel))


@pytest.fixture(scope="module")
def busy() -> Papers:
    street: BusyStreet = busy_street(SEED)
    return papers_of(street.community, seen(SEED))


def recorded_street() -> tuple[Community, list[Recorded]]:
    """Two prosumers and two consumers with a million each, 40 minutes before the hour."""
    community = Community.found(start="2026-01-15T09:20:00Z")
    transactions = record(community.ledger)
    for role in ("prosumer", "consumer", "consumer", "prosumer"):
        community.join(role=role, tokens=1_000_000)
    return community, transactions


@pytest.fixture(scope="module")
def one_deal() -> Papers:
    """4 kWh bought for 216,000; 3.2 kWh came."""
    community, transactions = recorded_street()
    seller, buyer, *_ = community.households
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "buy", post_id)
    flow(community, {seller.idgrid: (0, 3_200), buyer.idgrid: (4_000, 0)})
    call(community.scheduler, "settle", post_id)
    return papers_of(community, replayed(transactions))


@pytest.mark.row("E058")
def test_a_statement_has_what_was_sold_and_bought_house_to_house(one_deal: Papers) -> None:
    seller, buyer, other, _ = one_deal.community.households
    sold = one_deal.get("/v1/invoices/2026-01", seller).json()
    bought = one_deal.get("/v1/invoices/2026-01", buyer).json()
    nothing = {"waiting": 0, "sold_wh": 0, "bought_wh": 0, "received_utoken": 0, "paid_utoken": 0}
    assert sold["deals"] == nothing | {
        "count": 1,
        "sold_wh": 3_200,
        "received_utoken": 172_800,
        "refunded_utoken": 0,
        "balance_utoken": 172_800,
    }
    assert bought["deals"] == nothing | {
        "count": 1,
        "bought_wh": 3_200,
        "paid_utoken": 172_800,
        "refunded_utoken": 43_200,
        "balance_utoken": -172_800,
    }
    assert sold["account"]["changes"] == {"deposit": 1_000_000, "deal": 172_800}
    assert bought["account"]["changes"] == {"deposit": 1_000_000, "deal": -172_800}
    assert one_deal.get("/v1/invoices/2026-01", other).json()["deals"]["count"] == 0
    assert one_deal.get("/v1/invoices/2025-12", other).status_code == 404


def test_the_deal_is_in_both_inboxes_with_amount_energy_and_hour(one_deal: Papers) -> None:
    seller, buyer, *_ = one_deal.community.households
    for home, amount, refunded in ((seller, 172_800, 0), (buyer, -172_800, 43_200)):
        (notice,) = one_deal.get(f"/v1/accounts/{home.idgrid}/inbox", home).json()["items"]
        assert (notice["kind"], notice["listing_id"]) == ("deal", "2026-01-15T10")
        assert notice["post_id"].startswith("2026-01-15T10.")
        assert (notice["energy_wh"], notice["amount_utoken"]) == (3_200, amount)
        assert notice["refunded_utoken"] == refunded


def test_the_account_page_shows_the_deal_its_receipt_and_each_movement(one_deal: Papers) -> None:
    seller, buyer, *_ = one_deal.community.households
    post_id = one_deal.services.marketplace.posts(None)[0].post_id
    for home, causes in ((seller, ["deposit", "deal"]), (buyer, ["deal", "locked"])):
        page = visiting(one_deal.services, home.idgrid).get("/account").text
        assert f'data-post="{post_id}"' in page
        assert f'href="/v1/marketplace/posts/{post_id}/receipt?file=receipt"' in page
        assert 'href="/account/statement-2026-01.pdf"' in page
        for cause in causes:
            assert f'data-cause="{cause}"' in page


def test_a_deal_s_receipt_is_its_parties_and_the_manager_s(one_deal: Papers) -> None:
    seller, buyer, other, _ = one_deal.community.households
    post_id = one_deal.services.marketplace.posts(None)[0].post_id
    address = f"/v1/marketplace/posts/{post_id}/receipt"
    # The deal is in the newest block, which the next one would seal: who may ask is told so.
    codes = [one_deal.get(address, home).status_code for home in (seller, buyer, None, other)]
    assert codes == [409, 409, 409, 403]


@pytest.mark.row("E056")
def test_an_account_is_the_sum_of_its_settlements_deals_and_movements(busy: Papers) -> None:
    for home in busy.community.households:
        account = busy.get(f"/v1/accounts/{home.idgrid}", home).json()
        answers = [busy.get(f"/v1/invoices/{month}", home) for month in MONTHS]
        months = [answer.json() for answer in answers if answer.status_code == 200]
        sums = [month["account"] for month in months]
        balances = [0, *(each["closing_utoken"] for each in sums)]
        assert [each["opening_utoken"] for each in sums] == balances[:-1]
        assert balances[-1] == account["balance_utoken"] + account["locked_utoken"]
        for each in sums:
            assert each["opening_utoken"] + sum(each["changes"].values()) == each["closing_utoken"]
        for name in ("sold_wh", "bought_wh"):
            by_hours = sum(month["amounts"][name] + month["deals"][name] for month in months)
            assert account[name] == by_hours
        deals = sum(month["deals"]["balance_utoken"] for month in months)
        assert deals == sum(each["changes"].get("deal", 0) for each in sums)


def test_the_parts_of_a_group_s_hours_are_in_its_members_statements(busy: Papers) -> None:
    manager, found = busy.community.manager, 0
    for home in busy.community.households:
        month = busy.get("/v1/invoices/2026-01", home).json()
        due: dict[str, int] = dict.fromkeys(month["group_amounts"], 0)
        hours = 0
        for key in busy.community.ledger.keys("groupsplit~"):
            _, group_id, hour = key.split("~")
            split = manager.evaluate("groups:get_split", group_id, hour)
            for part in split["parts"]:
                if part["idgrid"] == home.idgrid:
                    hours += 1
                    due = {name: due[name] + part[name] for name in due}
        assert (month["group_hours"], month["group_amounts"]) == (hours, due)
        found += hours
    assert found


def test_rows_of_the_csv_file_add_up_to_its_sums(busy: Papers) -> None:
    kinds = set[str]()
    for home in busy.community.households:
        file = busy.get("/v1/invoices/2026-01?file=csv", home)
        *rows, total = csv.DictReader(io.StringIO(file.text))
        kinds |= {row["kind"] for row in rows}
        for name in AMOUNTS:
            assert sum(int(row[name] or 0) for row in rows) == int(total[name])
    assert kinds == {"line", "correction", "deal", "group"}


def test_the_pdf_has_a_section_for_each_way_of_trading(busy: Papers) -> None:
    headings = set[str]()
    for home in busy.community.households:
        assert busy.get("/v1/invoices/2026-01?file=pdf", home).content.startswith(b"%PDF-")
        month = busy.services.settlements.month(home.idgrid, "2026-01")
        sections: list[Any] = _sections(month, busy.services.local_time, str)
        headings |= {heading.partition(":")[0] for heading, _ in sections}
    assert {DEALS, GROUPS} <= headings


def test_amounts_and_prices_are_in_the_community_s_other_units_too(one_deal: Papers) -> None:
    seller, buyer, *_ = one_deal.community.households
    account = visiting(one_deal.services, seller.idgrid).get("/account").text
    assert "1,993.76 CLP" in account
    market = visiting(one_deal.services, buyer.idgrid).get("/marketplace", language="es").text
    assert "54.000 gwei · 0,000054000 ETH · 0,105517 EUR · 91,80 CLP" in market
    month = one_deal.services.settlements.month(seller.idgrid, "2026-01")
    rows = _in_units(month.account.closing_utoken, one_deal.services.currencies)
    assert ["", "1993.76 CLP"] in rows
    assert not any(text.endswith("token") for _, text in rows)


def test_movements_come_in_pages_that_add_up(busy: Papers) -> None:
    home = busy.community.households[0]
    account = busy.get(f"/v1/accounts/{home.idgrid}", home).json()
    path = f"/v1/accounts/{home.idgrid}/movements?limit=3"
    total, before, pages = 0, "", 0
    while True:
        page = busy.get(path + (f"&before={before}" if before else ""), home).json()
        total += sum(item["free_utoken"] for item in page["items"])
        pages += 1
        before = page["next"]
        if before is None:
            break
    assert (total, pages > 1) == (account["balance_utoken"], True)
    other = busy.community.households[1]
    assert busy.get(path, other).status_code == 403


def test_the_month_s_check_counts_deals_and_names_what_waits(busy: Papers) -> None:
    readmodel = busy.services.readmodel
    check = month_check(readmodel, "2026-01", AFTER_MS)
    assert (check.deals.waiting, check.deals.wrong, check.unclosed_accounts) == ((), (), ())
    assert check.deals.count > 0
    assert check.may_issue
    community, transactions = recorded_street()
    seller, buyer, *_ = community.households
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "buy", post_id)
    waits = month_check(replayed(transactions), "2026-01", AFTER_MS)
    assert (waits.deals.waiting, waits.may_issue) == ((post_id,), False)


def test_an_account_whose_movements_are_not_what_is_on_it_is_named() -> None:
    street = busy_street(SEED)
    readmodel = replayed(street.transactions)
    name = street.community.households[2].idgrid
    with readmodel.database.writing() as connection:
        lost = delete(MovementRow).where(
            MovementRow.idgrid == name, MovementRow.cause == Cause.DEPOSIT
        )
        connection.execute(lost)
    check = month_check(readmodel, "2026-01", AFTER_MS)
    assert (check.unclosed_accounts, check.may_issue) == ((name,), False)


def test_a_statement_differs_from_the_contracts_by_its_named_parts_only(busy: Papers) -> None:
    """The hours are the contract's to the last unit; deals, groups and account are beside them."""
    compared = 0
    for home in busy.community.households:
        for month in MONTHS:
            answer = busy.get(f"/v1/invoices/{month}", home)
            if answer.status_code != 200:
                continue
            on_ledger = home.client.evaluate("statements:preview", home.idgrid, month)
            content = answer.json()
            beside = {name for name in content if name not in on_ledger}
            assert beside == {"is_issued", "deals", "group_hours", "group_amounts", "account"}
            same = on_ledger.keys() - {"run"}
            assert {name: content[name] for name in same} == {
                name: on_ledger[name] for name in same
            }
            compared += bool(content["deals"]["count"])
    assert compared, "no statement of the street has a deal"

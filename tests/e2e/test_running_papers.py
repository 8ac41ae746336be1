"""What a settled hour leaves on paper and in the explorer, on the running system."""

import csv
import io

import httpx
import pytest

from tests.e2e.scene import HOUSEHOLDS, Scene, play

pytestmark = pytest.mark.slow

MONTH = "2016-08"
EXPLORER_PAGES = ("", "/blocks", "/transactions", "/events", "/orders", "/contracts", "/members")


@pytest.mark.row("E057")
def test_both_parties_of_an_hour_find_amount_energy_and_window_in_their_inbox(demo):
    async def scene(it: Scene) -> None:
        manager = await it.manager_session()
        sides = set()
        for number in range(HOUSEHOLDS):
            path = f"/v1/accounts/{it.idgrid(number)}"
            lines = (await it.http.get(f"{path}/settlements", headers=manager)).json()["items"]
            inbox = (await it.http.get(f"{path}/inbox", headers=manager)).json()["items"]
            notices = {one["listing_id"]: one for one in inbox if one["kind"] == "settled"}
            for line in lines:
                if line["sold_wh"] or line["bought_wh"]:
                    notice = notices[line["listing_id"]]
                    energy_wh, amount_utoken = notice["energy_wh"], notice["amount_utoken"]
                    assert energy_wh == line["sold_wh"] + line["bought_wh"]
                    assert amount_utoken == line["received_utoken"] - line["paid_utoken"]
                    sides.add("sold" if line["sold_wh"] else "bought")
        assert sides == {"sold", "bought"}

    play(demo, scene)


@pytest.mark.row("E058")
def test_an_invoice_is_the_sum_of_what_the_ledger_settled_and_comes_as_files(demo):
    async def scene(it: Scene) -> None:
        manager = await it.manager_session()
        for number in range(HOUSEHOLDS):
            idgrid = it.idgrid(number)
            path = f"/v1/accounts/{idgrid}/settlements"
            lines = (await it.http.get(path, headers=manager)).json()["items"]
            invoice = await _invoice(it, idgrid, "json", manager)
            amounts = invoice.json()["amounts"]
            for name in ("sold_wh", "bought_wh", "received_utoken", "paid_utoken"):
                assert amounts[name] == sum(line[name] for line in lines)
            file = await _invoice(it, idgrid, "csv", manager)
            *rows, total = csv.DictReader(io.StringIO(file.text))
            for name, amount in amounts.items():
                by_kind = {
                    kind: sum(int(row[name] or 0) for row in rows if row["kind"] == kind)
                    for kind in ("line", "deal")
                }
                assert by_kind["line"] == amount
                assert sum(by_kind.values()) == int(total[name])
            assert (await _invoice(it, idgrid, "pdf", manager)).content.startswith(b"%PDF-")

    play(demo, scene)


async def _invoice(it: Scene, idgrid: str, form: str, headers: dict[str, str]) -> httpx.Response:
    query = {"idgrid": idgrid, "file": form}
    answer = await it.http.get(f"/v1/invoices/{MONTH}", params=query, headers=headers)
    return answer.raise_for_status()


@pytest.mark.row("E061")
def test_the_published_price_is_shown_in_every_unit(demo):
    async def scene(it: Scene) -> None:
        shown = (await it.http.get("/v1/currencies", params={"utoken": 60_000})).json()
        assert (shown["token"], shown["gwei"], shown["CLP"]) == ("0.060000", "60000", "102.00")
        assert {"ETH", "EUR"} <= shown.keys()

    play(demo, scene)


@pytest.mark.row("E123")
def test_the_explorer_s_pages_open_and_search_leads_to_block_transaction_and_account(demo):
    async def scene(it: Scene) -> None:
        for path in EXPLORER_PAGES:
            page = await it.http.get(f"/explorer{path}", headers={"accept": "text/html"})
            assert page.status_code == 200, path
            assert "<h1>" in page.text
        block = (await it.http.get("/v1/blocks/5")).json()
        tx_id, owner = block["transaction_ids"][0], await it.household_session()
        for asked_for, headers, place in (
            ("5", {}, "/explorer/blocks/5"),
            (block["hash"], {}, "/explorer/blocks/5"),
            (tx_id, {}, f"/explorer/transactions/{tx_id}"),
            (it.idgrid(0), owner, f"/explorer/households/{it.idgrid(0)}"),
        ):
            query = {"q": asked_for}
            found = await it.http.get("/explorer/search", params=query, headers=headers)
            assert (found.status_code, found.headers["location"]) == (303, place)
            shown = await it.http.get(place, headers=headers)
            assert shown.status_code == 200
            assert asked_for in shown.text

    play(demo, scene)

"""The explorer's pages: what everybody sees, and what only those concerned do."""

import re
from dataclasses import replace

import pytest
from sqlalchemy import insert

from gateway.identity.scopes import Role, Scope
from gateway.identity.sessions import Viewer
from gateway.readmodel.tables import Activity
from gateway.shared_state.submissions import Submissions
from gateway.transactions.insight import METERED_FUNCTIONS, sees_read_write_set
from gateway.web.explorer.code_texts import CODE_TEXTS
from gateway.web.explorer.pages import ROWS
from ledger.model.codes import ValidationCode
from tests.e2e.browser.receipt_gateway import services_of
from tests.e2e.browser.street import live_through, settle_in
from tests.e2e.browser.village import village
from tests.support.receipt_world import ReceiptWorld
from tests.unit.gateway.pages import Visitor, visiting


@pytest.fixture(scope="module")
def world():
    return ReceiptWorld()


@pytest.fixture(scope="module")
def services(world):
    return services_of(world)


@pytest.fixture(scope="module")
def lived():
    """A community with more events than a page has."""
    with village() as it:
        live_through(it, settle_in(it), hours=2)
        yield it


@pytest.fixture
def visitor(services) -> Visitor:
    return visiting(services)


def ids_of(services, number: int) -> list[str]:
    return [record.tx_id for record in services.readmodel.transactions_of_block(number)]


def test_every_code_has_words():
    assert set(CODE_TEXTS) == set(ValidationCode)


@pytest.mark.row("E123")
def test_number_hash_and_transaction_id_are_found(services, visitor):
    hashed = services.readmodel.block(1).hash.hex()
    tx_id = ids_of(services, 1)[0]
    places = {
        "1": "/explorer/blocks/1",
        hashed: "/explorer/blocks/1",
        tx_id: f"/explorer/transactions/{tx_id}",
    }
    for asked, place in places.items():
        answer = visitor.get(f"/explorer/search?q={asked}")
        assert (answer.status_code, answer.headers["location"]) == (303, place)
        assert visitor.get(place).status_code == 200
    assert hashed in visitor.get("/explorer/blocks/1").text
    assert tx_id in visitor.get("/explorer/blocks/1").text
    assert 'id="nothing-found"' in visitor.get("/explorer/search?q=" + "0" * 64).text


@pytest.mark.parametrize(
    "path", ["", "/blocks", "/transactions", "/events", "/orders", "/contracts", "/members"]
)
def test_every_page_opens(visitor, path):
    answer = visitor.get(f"/explorer{path}")
    assert answer.status_code == 200
    assert "<h1>" in answer.text


def test_a_transaction_has_its_status_in_words(services, visitor):
    good, _, refused = ids_of(services, 1)
    shown = visitor.get(f"/explorer/transactions/{good}").text
    assert 'data-status="1"' in shown
    assert "accepted" in shown
    shown = visitor.get(f"/explorer/transactions/{refused}").text
    assert 'data-status="0"' in shown
    assert "another transaction changed the same state first" in shown
    assert "MVCC_READ_CONFLICT" in shown


def test_a_transaction_that_was_sent_and_waits_has_a_page_that_becomes_its_own(world):
    services = services_of(world)
    visitor, waiting = visiting(services), "ab" * 32
    page = f"/explorer/transactions/{waiting}"
    assert visitor.get(page).status_code == 404
    Submissions(services.readmodel.database, services.clock_ms).remember(waiting)
    shown = visitor.get(page, language="es")
    assert shown.status_code == 200
    assert "Se envió y todavía no está en el registro." in shown.text
    assert '<div id="transaction-live" data-live>' in shown.text
    done = visitor.get(f"/explorer/transactions/{ids_of(services, 1)[0]}").text
    assert '<div id="transaction-live">' in done


def test_what_was_written_is_not_for_everybody(services, visitor):
    (tx_id, *_) = ids_of(services, 1)
    page = f"/explorer/transactions/{tx_id}"
    assert 'id="closed"' in visitor.get(page).text
    assert "432000" not in visitor.get(page).text
    household = visiting(services, "VAL-0002")
    assert "432000" not in household.get(page).text
    manager = visiting(services, "", is_manager=True)
    assert 'id="read-write-set"' in manager.get(page).text
    assert "432000" in manager.get(page).text


def test_the_explorer_keeps_from_the_manager_what_single_meters_reported(services):
    (tx_id, *_) = ids_of(services, 1)
    record = services.readmodel.transaction(tx_id)
    for function in METERED_FUNCTIONS:
        metered = replace(record, function=function)
        assert not sees_read_write_set(services.readmodel, Viewer("", is_manager=True), metered)
        assert sees_read_write_set(
            services.readmodel, Viewer("", staff_role=Role.AUDITOR), metered
        )
    relay = frozenset({Scope.TRANSACTIONS_WRITE})
    assert not sees_read_write_set(
        services.readmodel, Viewer("", True, token_scopes=relay), record
    )


def test_other_households_are_neither_shown_nor_told_of(services, visitor):
    assert visitor.get("/explorer/households/VAL-0001").status_code == 401
    other = visiting(services, "VAL-0002")
    for idgrid in ("VAL-0001", "VAL-9999"):
        assert other.get(f"/explorer/households/{idgrid}").status_code == 403
        assert 'id="nothing-found"' in other.get(f"/explorer/search?q={idgrid}").text
    assert other.get("/explorer/households/VAL-0002").status_code == 200


def test_what_is_not_there_is_told_as_a_page(visitor):
    for path in ("blocks/99", "transactions/" + "0" * 64, "transactions?code=NO_CODE"):
        answer = visitor.get(f"/explorer/{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")


def test_pages_follow_each_other(visitor):
    assert visitor.get("/explorer/blocks?below=1").text.count("data-block=") == 1
    assert visitor.get("/explorer/transactions?below=1:1").text.count("data-transaction=") == 2
    only = visitor.get("/explorer/transactions?code=MVCC_READ_CONFLICT").text
    assert only.count("data-transaction=") == 1


def test_events_are_paged_to_the_first_one(lived):
    everything = lived.services.readmodel.events_after(None, 500)
    ids = [one.tx_id for one in reversed(everything)]
    assert len(ids) > 2 * ROWS
    seen, path = [], "/explorer/events"
    while path:
        text = visiting(lived.services).get(path).text
        shown = re.findall(r'data-event="([0-9a-f]{64})"', text)
        assert 0 < len(shown) <= ROWS
        seen += shown
        older = re.search(r'href="(/explorer/events\?below=[0-9:]+)">Older', text)
        path = older[1] if older else ""
    assert seen == ids
    assert visiting(lived.services).get("/explorer/events?below=x").status_code == 422


@pytest.mark.parametrize(
    ("language", "role"),
    [("en", "grid operator"), ("es", "operador de la red"), ("pt", "operador da rede")],
)
def test_the_role_of_who_signed_is_in_words(lived, language, role):
    (record, *_) = lived.services.readmodel.transactions(
        limit=1, function="registry:approve_participant"
    ).items
    page = visiting(lived.services).get(
        f"/explorer/transactions/{record.tx_id}", language=language
    )
    assert f"<dd>{role}</dd>" in page.text


def test_several_hits_of_a_search_are_listed_in_words(lived):
    with lived.services.readmodel.database.writing() as connection:
        connection.execute(insert(Activity), {"idgrid": "1", "block_number": 1, "tx_index": 999})
    found = visiting(lived.services, "", is_manager=True).get(
        "/explorer/search?q=1", language="es"
    )
    assert 'href="/explorer/blocks/1">Bloque 1<' in found.text
    assert 'href="/explorer/households/1">Hogar 1<' in found.text
    assert visiting(lived.services).get("/explorer/search?q=1").status_code == 303

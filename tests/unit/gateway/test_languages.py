"""Which language a reader gets, and how its numbers and dates are written."""

import asyncio
from datetime import datetime

import httpx
import pytest

from chaincode.energy.errors import Refusal
from gateway.application import create_app
from gateway.errors import Problem
from gateway.local_time import fixed
from gateway.web.languages import accepted_codes, chosen_language, language
from gateway.web.refusal_texts import all_refusal_texts
from gateway.web.templating import LANGUAGE_COOKIE
from ledger.model.codes import ValidationCode
from tests.unit.gateway.ledger_double import LedgerDouble, services_over


@pytest.mark.parametrize(
    ("preferred", "accepted", "expected"),
    [
        (None, None, "en"),
        (None, "", "en"),
        (None, "es-CL,es;q=0.9,en;q=0.8", "es"),
        (None, "de-DE,pt-BR;q=0.7,es;q=0.6", "pt"),
        (None, "en;q=0.1, pt;q=0.9", "pt"),
        (None, "de, fr", "en"),
        (None, "es;q=0", "en"),
        (None, "es;q=nonsense, pt", "pt"),
        (None, ";;;,,,q=1", "en"),
        ("pt", "es", "pt"),
        ("xx", "es", "es"),
    ],
)
def test_the_choice_comes_first_then_what_the_browser_asks_for(preferred, accepted, expected):
    assert chosen_language(preferred, accepted).code == expected


def test_a_header_of_any_length_is_read_in_bounds():
    assert len(accepted_codes("es," * 100_000)) <= 100


def test_numbers_and_dates_are_the_readers_and_exact():
    es, pt, en = (language(code) for code in ("es", "pt", "en"))
    assert (es.tokens(1_234_567_890, 3), en.tokens(1_234_567_890, 3)) == ("1.234,568", "1,234.568")
    assert pt.kwh(1_500) == "1,50"
    assert en.kwh(None) == "–"
    assert en.tokens(9_007_199_254_740_993, 6) == "9,007,199,254.740993"
    moment = datetime(2026, 1, 5, 13, 7)  # noqa: DTZ001 - shown as it is
    assert en.day(moment) == "5 Jan"
    assert es.month(moment) == "enero 2026"
    assert en.span("2026-01-15T23", fixed(-180)) == "20:00–21:00"
    assert [one.tag for one in (es, pt, en)] == ["es-CL", "pt-PT", "en"]


@pytest.mark.parametrize(
    ("units", "per", "code", "expected"),
    [
        (1_234_500, 1_000, "en", "1234.5"),
        (1_234_500, 1_000, "es", "1234,5"),
        (54_000, 1_000_000, "pt", "0,054"),
        (1, 1_000_000, "en", "0.000001"),
        (2_000, 1_000, "es", "2"),
        (None, 1_000, "en", ""),
    ],
)
def test_an_amount_in_a_field_is_as_people_type_it(units, per, code, expected):
    assert language(code).typed(units, per) == expected


def test_the_choice_is_kept_and_leads_back_to_the_page_it_was_made_on():
    async def play() -> None:
        app = create_app(services_over(LedgerDouble(lambda _function, _args: {})))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            first = await client.get("/market", headers={"accept-language": "en"})
            assert '<html lang="en">' in first.text
            form = {"language": "es", "back": "/market"}
            chosen = await client.post("/language", data=form)
            assert (chosen.status_code, chosen.headers["location"]) == (303, "/market")
            assert "HttpOnly" in chosen.headers["set-cookie"]
            assert client.cookies[LANGUAGE_COOKIE] == "es"
            shown = await client.get("/market", headers={"accept-language": "en"})
            assert '<html lang="es-CL">' in shown.text
            assert "Mercado de energía" in shown.text
            for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example"):
                answer = await client.post("/language", data={"language": "pt", "back": elsewhere})
                assert answer.headers["location"] == "/"
            wrong = await client.post("/language", data={"language": "xx", "back": "/"})
            assert wrong.status_code == 422
            foreign = await client.post(
                "/language", data={"language": "es"}, headers={"sec-fetch-site": "cross-site"}
            )
            assert foreign.status_code == 403
            assert "Missing" not in shown.text

    asyncio.run(play())


def test_a_refusal_speaks_the_readers_language():
    async def play() -> None:
        app = create_app(services_over(LedgerDouble(lambda _function, _args: {})))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            headers = {"accept": "text/html", "accept-language": "pt"}
            page = await client.get("/account", headers=headers)
            assert page.status_code == 401
            assert "Inicie sessão primeiro" in page.text
            texts = (await client.get("/refusal-texts", headers=headers)).json()
            assert texts["BIDS_CLOSED"] == "a ronda já não recebe ordens"
            assert texts["MVCC_READ_CONFLICT"].startswith("outra transação")
            assert texts["not-found"].startswith("Aqui não há nada. ")

    asyncio.run(play())


@pytest.mark.parametrize("code", ["en", "es", "pt"])
def test_every_code_and_problem_has_a_text_without_names_of_the_interface(code):
    texts = all_refusal_texts(language(code))
    slugs = {problem.value.slug for problem in Problem}
    assert set(texts) == {*Refusal.__members__, *ValidationCode.__members__} | slugs
    assert all(text and "`" not in text for text in texts.values())
    assert all(texts[slug].endswith(".") and ".." not in texts[slug] for slug in slugs)

"""What waits for the manager is on one page: also the keys that households asked for."""

import pytest

from tests.e2e.browser.village import village
from tests.support.signing_requests import signing_request
from tests.support.village_authority import VillageIssuer
from tests.unit.gateway.pages import visiting


@pytest.fixture(scope="module")
def it():
    with village(issuer=VillageIssuer()) as running:
        yield running


def queue(it, language="en"):
    return visiting(it.services, "", is_manager=True).get("/console", language=language).text


def row_of(text: str, attribute: str) -> str:
    """The list item with this attribute; empty if there is none."""
    return text.partition(attribute)[2].partition("</li>")[0]


@pytest.mark.parametrize(
    ("purpose", "words"),
    [
        ("enrol", {"en": "first key", "es": "primera clave", "pt": "primeira chave"}),
        ("recover", {"en": "lost key", "es": "clave perdida", "pt": "chave perdida"}),
    ],
)
def test_a_key_that_waits_is_told_with_the_way_to_it_until_it_is_decided(it, purpose, words):
    home = it.act(lambda community: community.join())
    enrolment = it.services.people.enrolment
    code, _ = enrolment.write_letter(home.idgrid, purpose)
    assert "data-key-request" not in queue(it)
    asked = enrolment.ask(code, signing_request(), "My <phone>")
    attribute = f'data-key-request="{asked.request_id}"'
    for language, word in words.items():
        row = row_of(queue(it, language), attribute)
        assert f"<strong>{home.idgrid}</strong>" in row
        assert f"{word}, My &lt;phone&gt; · " in row
        assert 'href="/manager/keys"' in row
        assert asked.comparison_code not in row
    enrolment.refuse(asked.request_id)
    assert "data-key-request" not in queue(it)


@pytest.mark.parametrize(
    ("source_type", "shown"), [("battery", "battery, 7.50 kWh<"), ("solar", "solar, 7.50 kW<")]
)
def test_what_a_battery_stores_is_told_in_kwh_and_a_sources_power_in_kw(it, source_type, shown):
    home = it.act(lambda community: community.join())
    given = (f"{source_type}-{home.idgrid}", home.idgrid, source_type, 7_500)
    it.act(lambda _: home.client.submit("registry:register_res", *given))
    assert shown in row_of(queue(it), f'data-source="{given[0]}"')

"""Addresses that look right and name nothing: refused in words, never an error of the gateway."""

import pytest

from tests.e2e.browser.street import live_through, settle_in
from tests.e2e.browser.village import village
from tests.unit.gateway.pages import Visitor, visiting

LISTING_KNOWN_NOWHERE = "2026-01-01T00"


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=1)
        yield it.services, street


def household(scene) -> Visitor:
    services, street = scene
    return visiting(services, street.sunny.idgrid)


@pytest.mark.parametrize("listing_id", ["2026-13-01T00", "9999-12-31T23", LISTING_KNOWN_NOWHERE])
def test_a_listing_that_is_not_there_is_not_found(scene, listing_id):
    services, _ = scene
    answer = visiting(services).get(f"/explorer/orders/{listing_id}")
    assert answer.status_code == 404
    known = services.market.latest(1)[0].listing_id
    assert visiting(services).get(f"/explorer/orders/{known}").status_code == 200


@pytest.mark.parametrize("path", ["/meter", "/production"])
@pytest.mark.parametrize("kind", ["day", "month"])
def test_days_nobody_can_mean_are_refused_and_the_outermost_shown(scene, path, kind):
    for day in ("0001-01-01", "1999-12-31", "2100-01-01", "9999-12-31"):
        assert household(scene).get(f"{path}?kind={kind}&day={day}").status_code == 422
    for day in ("2000-01-01", "2099-12-31"):
        assert household(scene).get(f"{path}?kind={kind}&day={day}").status_code == 200


@pytest.mark.parametrize("month", ["0000-01", "9999-12", "2026-13"])
@pytest.mark.parametrize(
    "path", ["/console/statements?month={}", "/console/exports/energy-{}.csv"]
)
def test_months_nobody_can_mean_are_refused(scene, path, month):
    manager = visiting(scene[0], "", is_manager=True)
    assert manager.get(path.format(month)).status_code == 422
    for outermost in ("2000-01", "2099-12"):
        assert manager.get(path.format(outermost)).status_code == 200

"""What several browser tests begin with: a browser, a certifying village, a new household.

One browser per module: two of Playwright's loops cannot run in one thread at once.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser.chromium import chromium
from tests.e2e.browser.village import Village, village
from tests.support.village_authority import VillageIssuer
from tests.unit.energy.community import Household


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def one_village() -> Iterator[Village]:
    """Of a whole module that says `pytest.mark.usefixtures("one_village")`."""
    with village(issuer=VillageIssuer()) as running:
        yield running


@pytest.fixture
def it(request: pytest.FixtureRequest) -> Iterator[Village]:
    """A village whose authority certifies keys: the module's one, else one of the test's own."""
    if "one_village" in request.fixturenames:
        yield request.getfixturevalue("one_village")
        return
    with village(issuer=VillageIssuer()) as running:
        yield running


@pytest.fixture
def home(it: Village) -> Household:
    """A household that has just joined."""
    return it.act(lambda community: community.join())

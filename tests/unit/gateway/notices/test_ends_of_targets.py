"""What opens a household's data no more is told of it no more, either."""

import pytest

from gateway.notices.outside_http import Reach
from gateway.notices.push_devices import PushDevices
from gateway.notices.webhooks import Webhooks
from tests.unit.gateway.ledger_double import LedgerDouble, services_over
from tests.unit.gateway.notices.push_browser import PushBrowser

THIEF, OWNER, OTHER = "aa" * 32, "bb" * 32, "VAL-0001-E"
HOME = "VAL-0000-G"


class Told:
    """A household that is told in two ways from two sessions; another one, too."""

    def __init__(self) -> None:
        self.services = services_over(LedgerDouble(lambda _function, _args: {}))
        self.database = self.services.readmodel.database
        clock_ms = self.services.clock_ms
        self.webhooks = Webhooks(self.database, clock_ms, Reach(), bytes(32))
        self.push = PushDevices(self.database, clock_ms, Reach(), bytes(65))
        for idgrid, key in ((HOME, THIEF), (HOME, OWNER), (OTHER, "")):
            name = f"https://{idgrid.lower()}.example/{key[:2]}"
            self.webhooks.add(idgrid, name, key_fingerprint=key)
            browser = PushBrowser.at(name).subscription
            self.push.add(idgrid, browser, key[:2], key_fingerprint=key)

    def left(self, idgrid: str) -> list[str]:
        """The sessions from which it is told still, by the beginning of their key."""
        by_hook = [one.url.rpartition("/")[2] for one in self.webhooks.of(idgrid)]
        assert sorted(by_hook) == sorted(one.label for one in self.push.of(idgrid))
        return sorted(by_hook)


@pytest.fixture
def told() -> Told:
    found = Told()
    assert (found.left(HOME), found.left(OTHER)) == (["aa", "bb"], [""])
    return found


def test_with_the_key_that_opened_the_session(told):
    told.services.people.endings._of_key(HOME, THIEF)
    assert (told.left(HOME), told.left(OTHER)) == (["bb"], [""])


def test_with_a_new_password(told):
    with told.database.writing() as connection:
        told.services.people.endings.of_others(connection, HOME)
    assert (told.left(HOME), told.left(OTHER)) == ([], [""])


def test_with_a_recovery(told):
    with told.database.writing() as connection:
        told.services.people.endings.of_everything(connection, HOME, actor="manager")
    assert (told.left(HOME), told.left(OTHER)) == ([], [""])

"""A household's orders out of PostgreSQL: its text does not take what a transaction may carry."""

from contextlib import closing

import pytest

from gateway.books.order_progress import OrderState
from gateway.books.own_orders import OwnOrders
from gateway.database import migrate, open_database
from ledger.model.codes import ValidationCode
from tests.support.postgresql import running_postgresql
from tests.unit.gateway.readmodel_blocks import HOME, HOUR, Ledger, a_listing, an_order

pytestmark = pytest.mark.slow


def test_an_order_in_the_place_of_one_that_nobody_can_have_hides_no_other() -> None:
    """Who sends a transaction without endorsements writes into it what it likes."""
    with running_postgresql() as server, closing(open_database(server.url)) as database:
        migrate(database)
        ledger = Ledger(database)
        ledger.block(("market:open_listing", a_listing()))
        ledger.block(("market:place_bid", an_order("order-1")))
        ledger.double.code = ValidationCode.ENDORSEMENT_POLICY_FAILURE
        for replaced in ((HOUR, "order\0"), ("\0", "order-1"), (HOUR, "order-1")):
            ledger.block(("orders:replace", {}), args=(*replaced, "5", "60000"))
        ledger.catch_up()
        shown = OwnOrders(ledger.readmodel, HOME).page(limit=50).items
        assert [one.state for one in shown] == [OrderState.INVALID, OrderState.OPEN]

"""Every route of the gateway stands in docs/access.md: who may use it was decided."""

from gateway.application import create_app
from tests.unit.gateway import test_who_sees_what as table
from tests.unit.gateway.ledger_double import LedgerDouble, services_over


def test_every_route_is_decided_on_once_and_no_other() -> None:
    app = create_app(services_over(LedgerDouble(lambda *_: {})))
    rows = table.documented()
    text = table.DOCUMENT.read_text(encoding="utf-8")
    assert set(rows) == table.routes_of(app), "write the row into docs/access.md"
    assert len(table.ROW.findall(text)) == len(rows)
    assert all(len(cells) == len(table.WHO) for cells in rows.values())
    assert {cell for cells in rows.values() for cell in cells} == table.GRADES

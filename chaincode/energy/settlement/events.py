"""What settlement tells the parties: one event a transaction, whole numbers, amounts in text too.

`payments` follows the form other systems know: (prosumer, lockedFundsContract, payment), with
the payment as a decimal text because it may be greater than 2**53.
"""

from chaincode.energy.settlement.records import Page, SettlementLine, SettlementRecord
from chaincode.energy.world import World

LOCKED_FUNDS_CONTRACT = "market"
_TOTALS = (
    "listing_id",
    "state",
    "revision",
    "pages",
    "price_utoken_per_kwh",
    "matched_wh",
    "settled_wh",
    "total_utoken",
    "refunded_utoken",
    "network_charge_utoken",
    "pool_share_utoken",
    "imported_wh",
    "exported_wh",
    "bought_from_utility_wh",
    "owed_to_utility_utoken",
    "sold_to_utility_wh",
    "owed_by_utility_utoken",
    "missing",
)


def announce_page(world: World, record: SettlementRecord, page: Page) -> None:
    """`SettlementState`, or `SettlementCorrected`: totals of the listing, lines of the page."""
    name = "SettlementCorrected" if page.revision else "SettlementState"
    concerned = [
        line
        for line in page.typed_lines()
        if line.sold_wh or line.bought_wh or line.refunded_utoken or line.credit_utoken
    ]
    payments = [
        {
            "prosumer": line.idgrid,
            "lockedFundsContract": LOCKED_FUNDS_CONTRACT,
            "payment": str(line.received_utoken),
        }
        for line in concerned
        if line.received_utoken
    ]
    world.announce(
        name,
        totals(record)
        | {
            "page": page.number,
            "payments": payments,
            "lines": [_line(line) for line in concerned],
        },
    )


def announce_plan(world: World, record: SettlementRecord) -> None:
    """`SettlementDecided`: the totals; payment follows page by page."""
    world.announce("SettlementDecided", totals(record))


def announce_end(world: World, record: SettlementRecord) -> None:
    """`SettlementPaid`: all pages are paid."""
    world.announce("SettlementPaid", totals(record))


def totals(record: SettlementRecord) -> dict[str, object]:
    """The totals of a settlement."""
    return {name: getattr(record, name) for name in _TOTALS}


def _line(line: SettlementLine) -> dict[str, object]:
    return {
        "idgrid": line.idgrid,
        "sold_wh": line.sold_wh,
        "bought_wh": line.bought_wh,
        "received_utoken": line.received_utoken,
        "paid_utoken": line.paid_utoken,
        "refunded_utoken": line.refunded_utoken,
        "network_charge_utoken": line.network_charge_utoken,
        "pool_share_utoken": line.pool_share_utoken,
    }

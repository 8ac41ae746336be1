"""Addresses of every page, by who looks at it; braces name what `names_in` a street finds."""

from collections.abc import Mapping

from tests.e2e.browser.street import OPEN_HOUR, Street
from tests.e2e.browser.village import Village

HOUSEHOLD = {
    "home": "/",
    "market": "/market",
    "market-orders": "/market/orders",
    "marketplace": "/marketplace",
    "marketplace-offers": "/marketplace/offers",
    "marketplace-requests": "/marketplace/requests",
    "marketplace-deals": "/marketplace/deals",
    "meter": "/meter",
    "meter-month": "/meter?kind=month",
    "devices": "/devices",
    "production": "/production",
    "notices": "/notices",
    "webhooks": "/notices/webhooks",
    "terms": "/terms",
    "account": "/account",
    "account-statements": "/account/statements",
    "account-settlements": "/account/settlements",
    "account-movements": "/account/movements",
    "standing": "/standing?side=offer",
    "offline": "/offline",
}
MANAGER = {
    "console-waiting": "/console",
    "console-members": "/console/members",
    "console-meters": "/console/meters",
    "console-listings": "/console/listings",
    "console-prices": "/console/prices",
    "console-sharing": "/console/sharing",
    "console-statements": "/console/statements",
    "console-exports": "/console/exports",
    "console-audit": "/console/audit",
    "console-quarantine": "/console/quarantine",
    "console-security": "/console/security",
    "console-enrolment": "/console/meters/enrolment",
    "manager-keys": "/manager/keys",
    "explorer": "/explorer",
    "explorer-blocks": "/explorer/blocks",
    "explorer-block": "/explorer/blocks/3",
    "explorer-transactions": "/explorer/transactions",
    "explorer-transaction": "/explorer/transactions/{tx_id}",
    "explorer-events": "/explorer/events",
    "explorer-orders": "/explorer/orders",
    "explorer-listing": "/explorer/orders/{listing_id}",
    "explorer-contracts": "/explorer/contracts",
    "explorer-members": "/explorer/members",
    "explorer-household": "/explorer/households/{idgrid}",
    "explorer-search": "/explorer/search?q={idgrid}",
}
VISITOR = {
    "visitor-home": "/",
    "visitor-market": "/market",
    "login": "/login",
    "enrol": "/enrol",
    "receipt": "/receipt",
    "trust": "/trust",
    "not-there": "/explorer/blocks/999999",
}


def names_in(it: Village, street: Street) -> Mapping[str, str]:
    """What the addresses need of a street that has lived and has an open listing."""
    newest = it.services.readmodel.transactions(function="market:place_offer", limit=1).items[0]
    return {
        "tx_id": newest.tx_id,
        "listing_id": OPEN_HOUR,
        "idgrid": street.sunny.idgrid,
    }

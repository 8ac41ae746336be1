"""The contracts of the chaincode `energy`: what can be called, by name and typed argument.

Each function only passes its arguments on; the rules are in the packages named after them.
Roles and errors: docs/market.md. Energy in Wh, money in micro-tokens, prices in micro-tokens per
kWh, times in ms UTC.
"""

from chaincode.energy.contracts.access import Access
from chaincode.energy.contracts.anchors import Anchors
from chaincode.energy.contracts.auction import Auction
from chaincode.energy.contracts.devices import Devices
from chaincode.energy.contracts.groups import Groups
from chaincode.energy.contracts.listings import Listings
from chaincode.energy.contracts.market import Market
from chaincode.energy.contracts.marketplace import Marketplace
from chaincode.energy.contracts.membership import Membership
from chaincode.energy.contracts.oracle import Oracle
from chaincode.energy.contracts.orders import Orders
from chaincode.energy.contracts.origin import Origin
from chaincode.energy.contracts.persons import Persons
from chaincode.energy.contracts.registry import Registry
from chaincode.energy.contracts.sealed import Sealed
from chaincode.energy.contracts.settlement import Settlement
from chaincode.energy.contracts.sharing import Sharing
from chaincode.energy.contracts.signers import Signers
from chaincode.energy.contracts.standing import Standing
from chaincode.energy.contracts.statements import Statements
from chaincode.energy.contracts.tokens import Tokens

CONTRACTS = (
    Registry,
    Membership,
    Persons,
    Signers,
    Devices,
    Access,
    Tokens,
    Market,
    Auction,
    Listings,
    Orders,
    Sealed,
    Standing,
    Groups,
    Marketplace,
    Oracle,
    Anchors,
    Settlement,
    Statements,
    Sharing,
    Origin,
)

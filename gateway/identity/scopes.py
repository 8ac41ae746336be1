"""What a session or a token may do: roles have scopes, a script's token some of its owner's.

Signing is apart from all this: who may place an order is decided by the ledger, by the key. A
scope only says which of the gateway's doors open.
"""

from collections.abc import Mapping
from enum import StrEnum


class Scope(StrEnum):
    """One door. Public answers (listings, prices, blocks, results) need none."""

    OWN_READ = "own:read"
    """Own account, meters, settlements, statements, devices."""
    TRANSACTIONS_WRITE = "transactions:write"
    """Relaying signed work. Without a session it is open: the signature is what counts."""
    COMMUNITY_READ = "community:read"
    """Everybody's accounts and registry records."""
    LEDGER_READ = "ledger:read"
    """What transactions say: arguments, events, read-write sets."""
    METERED_READ = "metered:read"
    """What transactions say of single meters; the manager sees totals (E012)."""
    COMMUNITY_WRITE = "community:write"
    """The manager's doors: letters, approvals, exports."""
    DEVICES_READ = "devices:read"
    """Devices whose owners let the market read them."""
    DEVICES_SWITCH = "devices:switch"
    """Switching one's own plugs on and off."""
    TOKENS_WRITE = "tokens:write"
    """Making and revoking tokens; no token has it."""


class Role(StrEnum):
    """Who asks. Members' operators and auditors come with tokens that the manager made."""

    HOUSEHOLD = "household"
    MANAGER = "manager"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ORACLE = "oracle"


SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.HOUSEHOLD: frozenset(
        {Scope.OWN_READ, Scope.TRANSACTIONS_WRITE, Scope.DEVICES_SWITCH, Scope.TOKENS_WRITE}
    ),
    Role.MANAGER: frozenset(Scope) - {Scope.DEVICES_READ, Scope.METERED_READ},
    Role.OPERATOR: frozenset({Scope.LEDGER_READ, Scope.METERED_READ, Scope.TRANSACTIONS_WRITE}),
    Role.AUDITOR: frozenset({Scope.LEDGER_READ, Scope.METERED_READ, Scope.COMMUNITY_READ}),
    Role.ORACLE: frozenset({Scope.DEVICES_READ}),
}
GRANTABLE: Mapping[Role, frozenset[Role]] = {
    Role.HOUSEHOLD: frozenset({Role.HOUSEHOLD}),
    Role.MANAGER: frozenset({Role.MANAGER, Role.OPERATOR, Role.AUDITOR}),
}
"""Whose tokens a role may make."""

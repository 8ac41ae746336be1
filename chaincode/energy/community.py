"""Who may do what: roles, the caller of a transaction, and which member may issue which role.

A certificate carries the attributes `role` and, for households, `idgrid`. Any member's authority
could write any role into a certificate, so a community names, per staff role, the members whose
certificates count for it; a participant's certificate must come from the member that
registered it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Value of the certificate attribute `role`."""

    COMMUNITY_MANAGER = "community_manager"
    DSO = "dso"
    UTILITY = "utility"
    OPERATOR = "operator"
    ORACLE = "oracle"
    SCHEDULER = "scheduler"
    AUDITOR = "auditor"
    CONSUMER = "consumer"
    PROSUMER = "prosumer"
    GENERATOR = "generator"


STAFF = frozenset(
    {
        Role.COMMUNITY_MANAGER,
        Role.DSO,
        Role.UTILITY,
        Role.OPERATOR,
        Role.ORACLE,
        Role.SCHEDULER,
        Role.AUDITOR,
    }
)
PARTICIPANTS = frozenset({Role.CONSUMER, Role.PROSUMER, Role.GENERATOR})
SELLERS = frozenset({Role.PROSUMER, Role.GENERATOR})
GRID_OPERATORS = frozenset({Role.DSO, Role.OPERATOR})
MARKET_OPERATORS = frozenset({Role.COMMUNITY_MANAGER, Role.SCHEDULER, *GRID_OPERATORS})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed the transaction. `idgrid` is None for staff; `role` None if unknown."""

    mspid: str
    role: Role | None
    idgrid: str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Community-wide settings on the ledger: staff role -> members that may issue it.

    A community without this record has not restricted its roles yet.
    """

    role_members: dict[str, list[str]]

    def may_issue(self, role: Role, mspid: str) -> bool:
        """Whether a certificate of this member counts for this staff role."""
        return mspid in self.role_members.get(role, [])


def role_of(attribute: str | None) -> Role | None:
    """The role named by a certificate attribute, None if absent or unknown."""
    return Role(attribute) if attribute in {role.value for role in Role} else None

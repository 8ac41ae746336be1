"""Who may do what: roles, the caller of a transaction, and which member may issue which role.

A certificate carries the attributes `role` and, for households, `idgrid`. Any member's authority
could write any role into a certificate, so a community names, per staff role, the members whose
certificates count for it; a participant's certificate must come from the member that
registered it.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

_P256_SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""DER before the point of a P-256 key: the algorithm, and that a bit string follows."""


class Role(StrEnum):
    """Value of the certificate attribute `role`."""

    COMMUNITY_MANAGER = "community_manager"
    DSO = "dso"
    UTILITY = "utility"
    OPERATOR = "operator"
    ORACLE = "oracle"
    SCHEDULER = "scheduler"
    AUDITOR = "auditor"
    NOTIFIER = "notifier"
    """Sends mail: reads addresses and nothing else."""
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
"""Who may read what the community keeps."""
MEMBER_ROLES = STAFF | {Role.NOTIFIER}
"""Roles that count only in certificates of the members `registry:configure` names."""
PARTICIPANTS = frozenset({Role.CONSUMER, Role.PROSUMER, Role.GENERATOR})
SELLERS = frozenset({Role.PROSUMER, Role.GENERATOR})
GRID_OPERATORS = frozenset({Role.DSO, Role.OPERATOR})
MARKET_OPERATORS = frozenset({Role.COMMUNITY_MANAGER, Role.SCHEDULER, *GRID_OPERATORS})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed the transaction. `idgrid` is None for staff; `role` None if unknown.

    `public_key` is the uncompressed P-256 point of its certificate (65 bytes).
    """

    mspid: str
    role: Role | None
    idgrid: str | None
    public_key: bytes = b""

    @property
    def key_fingerprint(self) -> str:
        """SHA-256 over the key's DER SubjectPublicKeyInfo, hex, as devices' keys have it too."""
        return hashlib.sha256(_P256_SPKI_HEAD + self.public_key).hexdigest()


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

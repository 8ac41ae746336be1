"""Who may ask a peer's system chaincodes what: Fabric's default access control list.

A resource is `chaincode/function`. Some are for people of the peer's own member, whatever the
channel says; the others follow the channel's Readers and Writers.
"""

from collections.abc import Callable

from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.msp import MspRegistry
from ledger.errors import GridledgerError, InvalidMessage
from ledger.model.config import APPLICATION
from ledger.model.policy import Principal, Role

CHANNEL_READERS = f"{APPLICATION}/Readers"
CHANNEL_WRITERS = f"{APPLICATION}/Writers"

LOCAL = {
    "_lifecycle/InstallChaincode": Role.ADMIN,
    "_lifecycle/QueryInstalledChaincode": Role.ADMIN,
    "_lifecycle/QueryInstalledChaincodes": Role.ADMIN,
    "_lifecycle/GetInstalledChaincodePackage": Role.ADMIN,
    "_lifecycle/ApproveChaincodeDefinitionForMyOrg": Role.ADMIN,
    "_lifecycle/QueryApprovedChaincodeDefinition": Role.ADMIN,
    "_lifecycle/QueryApprovedChaincodeDefinitions": Role.ADMIN,
    "_lifecycle/DryRunChaincode": Role.ADMIN,
    "cscc/GetChannels": Role.MEMBER,
}
"""For whom of the peer's own member."""

OF_CHANNEL = {
    "_lifecycle/CheckCommitReadiness": CHANNEL_WRITERS,
    "_lifecycle/CommitChaincodeDefinition": CHANNEL_WRITERS,
    "_lifecycle/QueryChaincodeDefinition": CHANNEL_WRITERS,
    "_lifecycle/QueryChaincodeDefinitions": CHANNEL_WRITERS,
    "qscc/GetChainInfo": CHANNEL_READERS,
    "qscc/GetBlockByNumber": CHANNEL_READERS,
    "qscc/GetBlockByHash": CHANNEL_READERS,
    "qscc/GetTransactionByID": CHANNEL_READERS,
    "qscc/GetBlockByTxID": CHANNEL_READERS,
    "cscc/GetConfigBlock": CHANNEL_READERS,
    "cscc/GetChannelConfig": CHANNEL_READERS,
}
"""The channel policy that must be satisfied."""

_POLICY_NAMES = {Role.ADMIN: "Admins", Role.MEMBER: "Members"}


class AccessDenied(GridledgerError):  # noqa: N818 - a fact about one request
    """The creator may not do this; the text is Fabric's."""


class SystemAccess:
    """Decides for one peer, in the configuration in force."""

    def __init__(
        self,
        *,
        mspid: str,
        channel_id: str,
        registry: Callable[[], MspRegistry],
        policies: Callable[[], ChannelPolicies],
    ) -> None:
        self._mspid = mspid
        self._channel_id = channel_id
        self._registry = registry
        self._policies = policies

    def require(self, resource: str, creator: bytes) -> None:
        """Raise AccessDenied unless `creator` (SerializedIdentity bytes) may use the resource.

        The creator's signature was checked before.
        """
        if resource in LOCAL:
            self._require_local(LOCAL[resource], creator)
        elif resource in OF_CHANNEL:
            self._require_channel(OF_CHANNEL[resource], creator)
        else:
            raise AccessDenied(f"Unmapped policy for {resource[:80]}")

    def _require_local(self, role: Role, creator: bytes) -> None:
        where = f"during channelless check policy with policy [{_POLICY_NAMES[role]}]"
        try:
            identity = self._registry().identity(creator)
        except InvalidMessage as error:
            raise AccessDenied(
                f"Failed deserializing proposal creator {where}: [{error.detail}]"
            ) from error
        if identity.mspid != self._mspid:
            raise AccessDenied(
                f"Failed deserializing proposal creator {where}: [expected MSP ID {self._mspid},"
                f" received {identity.mspid}]"
            )
        if not identity.satisfies(Principal(self._mspid, role)):
            raise AccessDenied(
                f"Failed verifying that proposal's creator satisfies local MSP principal {where}:"
                f" [{identity.subject} is {identity.role.name.lower()}, not"
                f" {role.name.lower()}, of {self._mspid}]"
            )

    def _require_channel(self, path: str, creator: bytes) -> None:
        try:
            identity = self._registry().identity(creator)
            self._policies().require_path(path, [identity])
        except InvalidMessage as error:
            raise AccessDenied(
                "Failed evaluating policy on signed data during check policy on channel"
                f" [{self._channel_id}] with policy [{path}]: [{error.detail}]"
            ) from error

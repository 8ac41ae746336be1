"""Where chaincodes dial in to this peer, and the runtimes that wait for them."""

from ledger.endorsement.runtimes.runtime import CallChaincode, ChaincodeRuntime
from ledger.endorsement.runtimes.supervision import SupervisedRuntime
from ledger.node.settings.chaincode_streams import StreamSettings
from ledger.rpc.chaincode_support import (
    ChaincodeDoor,
    ChaincodeSupportService,
    dialled_in_chaincode,
)


class DialIn:
    """A door for each chaincode the operator allows; a runtime once a definition needs it."""

    def __init__(self, settings: StreamSettings) -> None:
        self.settings = settings
        self._doors = {one.chaincode_id: ChaincodeDoor(one) for one in settings.allowed}
        self._runtimes: dict[str, SupervisedRuntime] = {}
        self.service = ChaincodeSupportService(self._doors.values())

    @property
    def allowed(self) -> tuple[str, ...]:
        """Ids under which chaincodes may register."""
        return tuple(self._doors)

    def allows(self, chaincode_id: str) -> bool:
        """Whether the operator lets a chaincode register under this id."""
        return chaincode_id in self._doors

    def runtime(
        self, chaincode_id: str, name: str, call: CallChaincode
    ) -> ChaincodeRuntime | None:
        """Of chaincode `name`, which registers as `chaincode_id`; None if that is not allowed.

        A stream serves one chaincode: for a second name under the same id there is none either.
        The caller starts and stops it.
        """
        door = self._doors.get(chaincode_id)
        if door is None:
            return None
        found = self._runtimes.get(chaincode_id)
        if found is None:
            found = dialled_in_chaincode(name, door, limits=self.settings.limits, call=call)
            self._runtimes[chaincode_id] = found
        return found if found.name == name else None

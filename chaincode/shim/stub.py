"""ChaincodeStub: a transaction's view of its peer, with Fabric's names and semantics.

Reads give the committed state: a transaction does not see its own writes. Writes are sent
together at the end, only if the function succeeds.
"""

from collections.abc import Iterator, Sequence

from chaincode.shim import composite_keys
from chaincode.shim.errors import ContractError
from chaincode.shim.private_data import PrivateData
from chaincode.shim.requests import InvokeChaincode, Request, Response
from chaincode.shim.state_reads import StateReads
from chaincode.shim.state_writes import StateWrites, as_bytes

EVENT_NAME_LENGTH_MAX = 128


class ChaincodeStub(StateReads, StateWrites, PrivateData):
    """One transaction; created by the runtime, used up when the function returns."""

    __slots__ = ()

    def set_event(self, name: str, payload: bytes | str) -> None:
        """The transaction's one event; a second call replaces the first."""
        if not name or len(name) > EVENT_NAME_LENGTH_MAX:
            raise ContractError(
                "INVALID_EVENT", f"an event name has 1 to {EVENT_NAME_LENGTH_MAX} characters"
            )
        if not composite_keys.is_text(name):
            raise ContractError("INVALID_EVENT", "an event name is Unicode text")
        self._event = (name, as_bytes(payload))

    async def invoke_chaincode(
        self, chaincode_name: str, args: Sequence[bytes | str], channel: str = ""
    ) -> Response:
        """Call another chaincode in this transaction; on another channel its writes are lost."""
        name = f"{chaincode_name}/{channel}" if channel else chaincode_name
        return await InvokeChaincode(name, tuple(map(as_bytes, args)))

    def create_composite_key(self, object_type: str, attributes: Sequence[str]) -> str:
        """The key of `attributes` under `object_type`."""
        return composite_keys.create_composite_key(object_type, attributes)

    def split_composite_key(self, key: str) -> tuple[str, list[str]]:
        """Object type and attributes of a composite key."""
        return composite_keys.split_composite_key(key)

    # -- for the runtime ------------------------------------------------------------------------

    @property
    def event(self) -> tuple[str, bytes] | None:
        """Name and payload of the event set last."""
        return self._event

    @property
    def has_writes(self) -> bool:
        """Whether the function wants to change anything."""
        return bool(self._writes)

    def write_requests(self) -> Iterator[Request[None]]:
        """The messages that hand all writes to the peer."""
        return self._writes.requests(self._given.features)

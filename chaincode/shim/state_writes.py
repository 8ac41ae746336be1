"""Writing public state: kept here and sent at the end, only if the function succeeds."""

from chaincode.shim.composite_keys import require_simple_key
from chaincode.shim.requests import Write
from chaincode.shim.state_reads import VALIDATION_PARAMETER
from chaincode.shim.transaction_facts import TransactionFacts


class StateWrites(TransactionFacts):
    """Setting and removing keys, and giving keys policies of their own."""

    __slots__ = ()

    async def put_state(self, key: str, value: bytes | str) -> None:
        """Set the key if the transaction becomes valid; an empty value deletes it."""
        require_simple_key(key)
        self._writes.add(Write(key, as_bytes(value)))

    async def del_state(self, key: str) -> None:
        """Remove the key if the transaction becomes valid."""
        require_simple_key(key)
        self._writes.add(Write(key, None))

    delete_state = del_state

    async def set_state_validation_parameter(self, key: str, policy: bytes) -> None:
        """Give the key its own endorsement policy; see `chaincode.shim.KeyPolicy`."""
        require_simple_key(key)
        self._writes.add(Write(key, policy, VALIDATION_PARAMETER))


def as_bytes(value: bytes | str) -> bytes:
    """Text as UTF-8; TypeError for what is neither, above all numbers: bytes(7) is seven zeros."""
    return value.encode("utf-8") if isinstance(value, str) else bytes(memoryview(value))

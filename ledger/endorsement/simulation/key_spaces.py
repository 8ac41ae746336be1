"""The keys a contract works on: its public state, or one private data collection.

Requests of the shim name a collection or leave it empty; what they do is the same on either.
"""

from typing import Protocol

from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.endorsement.simulation.use import SimulationRefused
from ledger.model.state import Metadata


class KeySpace(Protocol):
    """Keys of one chaincode; every method raises SimulationRefused."""

    def get(self, key: str) -> bytes:
        """The committed value, empty if absent."""
        ...

    def metadata(self, key: str) -> Metadata:
        """The committed metadata of a key."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Write a key; an empty value deletes it."""
        ...

    def put_metadata(self, key: str, name: str, value: bytes) -> None:
        """Set one metadata entry of a key."""
        ...

    def purge(self, key: str) -> None:
        """Remove a private key and all it ever held."""
        ...


class PublicKeys:
    """A chaincode's public state."""

    __slots__ = ("_namespace", "_simulator")

    def __init__(self, simulator: TransactionSimulator, namespace: str) -> None:
        self._simulator = simulator
        self._namespace = namespace

    def get(self, key: str) -> bytes:
        """See KeySpace."""
        return self._simulator.get_state(self._namespace, key)

    def metadata(self, key: str) -> Metadata:
        """See KeySpace."""
        return self._simulator.get_metadata(self._namespace, key)

    def put(self, key: str, value: bytes) -> None:
        """See KeySpace."""
        self._simulator.put_state(self._namespace, key, value)

    def put_metadata(self, key: str, name: str, value: bytes) -> None:
        """See KeySpace."""
        self._simulator.put_metadata(self._namespace, key, name, value)

    def purge(self, key: str) -> None:
        """Public values stay in the blocks for ever."""
        raise SimulationRefused("only applicable for private data")


class PrivateKeys:
    """One collection of a chaincode."""

    __slots__ = ("_collection", "_namespace", "_private")

    def __init__(self, simulator: TransactionSimulator, namespace: str, collection: str) -> None:
        self._private = simulator.private
        self._namespace = namespace
        self._collection = collection

    def get(self, key: str) -> bytes:
        """See KeySpace."""
        return self._private.get(self._namespace, self._collection, key)

    def metadata(self, key: str) -> Metadata:
        """See KeySpace."""
        return self._private.get_metadata(self._namespace, self._collection, key)

    def put(self, key: str, value: bytes) -> None:
        """See KeySpace."""
        self._private.put(self._namespace, self._collection, key, value)

    def put_metadata(self, key: str, name: str, value: bytes) -> None:
        """See KeySpace."""
        self._private.put_metadata(self._namespace, self._collection, key, name, value)

    def purge(self, key: str) -> None:
        """See KeySpace."""
        self._private.purge(self._namespace, self._collection, key)


class KeySpaces:
    """What one contract may touch in one transaction."""

    __slots__ = ("_is_init", "_namespace", "_public", "_simulator")

    def __init__(self, simulator: TransactionSimulator, namespace: str, *, is_init: bool) -> None:
        self._simulator = simulator
        self._namespace = namespace
        self._is_init = is_init
        self._public = PublicKeys(simulator, namespace)

    def readable(self, collection: str) -> KeySpace:
        """To read from; refused where only members may and the creator is none."""
        if not collection:
            return self._public
        self._require_private_allowed()
        self._simulator.collections.require_readable(self._namespace, collection)
        return PrivateKeys(self._simulator, self._namespace, collection)

    def writable(self, collection: str) -> KeySpace:
        """To write to; refused where only members may and the creator is none."""
        if not collection:
            return self._public
        self._require_private_allowed()
        self._simulator.collections.require_writable(self._namespace, collection)
        return PrivateKeys(self._simulator, self._namespace, collection)

    def private_hash(self, collection: str, key: str) -> bytes:
        """The hash of a private value is public: any contract of the chaincode may read it."""
        self._require_private_allowed()
        return self._simulator.private.get_hash(self._namespace, collection, key)

    def _require_private_allowed(self) -> None:
        if self._is_init:
            raise SimulationRefused("private data APIs are not allowed in chaincode Init()")

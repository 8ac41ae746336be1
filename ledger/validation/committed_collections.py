"""The private data collections of chaincodes, as committed in one state."""

from collections.abc import Mapping

from ledger.errors import InvalidMessage
from ledger.model.definition_keys import COLLECTIONS_FIELD, LIFECYCLE_NAMESPACE, field_key
from ledger.model.private_collections import (
    Collection,
    collections_of_field,
    find_collection,
)
from ledger.model.state import StateReader

NO_COLLECTIONS: Mapping[str, Collection] = {}


def committed_collections(namespace: str, state: StateReader) -> Mapping[str, Collection]:
    """Static collections of a chaincode, by name.

    A definition whose collections cannot be read has none: members who committed it find every
    write to them refused, on each peer alike.
    """
    found = state.get_state(LIFECYCLE_NAMESPACE, field_key(namespace, COLLECTIONS_FIELD))
    if found is None:
        return NO_COLLECTIONS
    try:
        return collections_of_field(found.value)
    except InvalidMessage:
        return NO_COLLECTIONS


class CommittedCollections:
    """Static and implicit collections in one state; each chaincode is read once."""

    def __init__(self, state: StateReader) -> None:
        self._state = state
        self._static: dict[str, Mapping[str, Collection]] = {}

    def find(self, namespace: str, name: str) -> Collection | None:
        """The collection of a chaincode that is defined; None when it has no such collection."""
        static = self._static.get(namespace)
        if static is None:
            static = self._static[namespace] = committed_collections(namespace, self._state)
        return find_collection(name, static)

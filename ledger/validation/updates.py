"""State changes of a block, gathered transaction by transaction."""

from bisect import bisect_left, insort

from ledger.model.private_collections import Collection
from ledger.model.rwset import (
    CollectionReadWriteSet,
    KeyWrite,
    NamespaceReadWriteSet,
    ReadWriteSet,
    Version,
)
from ledger.model.state import (
    KeyUpdate,
    Metadata,
    StateKey,
    StateReader,
    StateUpdates,
    hashed_key,
    hashed_namespace,
)
from ledger.validation.committed_collections import CommittedCollections
from ledger.validation.private_expiry import due, scheduled


class BlockUpdates:
    """Changes of the valid transactions so far, over the state before the block."""

    def __init__(self, state: StateReader, block_number: int) -> None:
        self._state = state
        self._block_number = block_number
        self._keys: dict[StateKey, KeyUpdate] = {}
        self._ordered_keys: dict[str, list[str]] = {}
        self._history: list[tuple[str, str, Version]] = []
        self._definitions = CommittedCollections(state)
        self._collections: dict[str, Collection | None] = {}
        """Whose hashes changed, by their hashed namespace."""
        self._purged: list[tuple[StateKey, Version]] = []

    def __contains__(self, state_key: StateKey) -> bool:
        """Whether an earlier transaction of the block wrote or deleted the key."""
        return state_key in self._keys

    def changed_between(
        self, namespace: str, start_key: str, end_key: str
    ) -> list[tuple[str, KeyUpdate]]:
        """Changes in [start_key, end_key), an empty `end_key` meaning no end, ascending."""
        ordered = self._ordered_keys.get(namespace, [])
        low = bisect_left(ordered, start_key)
        high = bisect_left(ordered, end_key) if end_key else len(ordered)
        return [(key, self._keys[namespace, key]) for key in ordered[low:high]]

    def apply(self, tx_number: int, results: ReadWriteSet) -> None:
        """Add what the transaction at this position writes; later writes replace earlier ones."""
        version = Version(self._block_number, tx_number)
        for rwset in results.namespaces:
            for write in rwset.writes:
                self._write(rwset.namespace, write, version)
                self._history.append((rwset.namespace, write.key, version))
            for metadata_write in rwset.metadata_writes:
                self._set_metadata(
                    rwset.namespace, metadata_write.key, metadata_write.entries, version
                )
            for collection in rwset.collections:
                self._write_hashes(rwset, collection, version)

    def finish(self) -> StateUpdates:
        """Everything gathered, and what expires with this block."""
        self._schedule_expiry()
        self._expire()
        return StateUpdates(
            keys=self._keys, history=tuple(self._history), purged=tuple(self._purged)
        )

    def _write(self, namespace: str, write: KeyWrite, version: Version) -> None:
        if write.is_delete or not write.value:
            self._put(namespace, write.key, KeyUpdate(None, version))
        else:
            metadata = self._metadata(namespace, write.key)
            self._put(namespace, write.key, KeyUpdate(write.value, version, metadata))

    def _set_metadata(
        self, namespace: str, key: str, metadata: Metadata, version: Version
    ) -> None:
        value = self._value(namespace, key)
        if value is not None:  # metadata of an absent key is dropped, as in Fabric
            self._put(namespace, key, KeyUpdate(value, version, metadata))

    def _write_hashes(
        self, rwset: NamespaceReadWriteSet, collection: CollectionReadWriteSet, version: Version
    ) -> None:
        if not collection.has_writes:
            return
        namespace = hashed_namespace(rwset.namespace, collection.collection)
        if namespace not in self._collections:
            self._collections[namespace] = self._definitions.find(
                rwset.namespace, collection.collection
            )
        for write in collection.hashed_writes:
            key = hashed_key(write.key_hash)
            if write.is_purge:
                self._purged.append(((namespace, key), version))
            if write.is_delete or write.is_purge:
                self._put(namespace, key, KeyUpdate(None, version))
            else:
                metadata = self._metadata(namespace, key)
                self._put(namespace, key, KeyUpdate(write.value_hash, version, metadata))
        for metadata_write in collection.hashed_metadata_writes:
            key = hashed_key(metadata_write.key_hash)
            self._set_metadata(namespace, key, metadata_write.entries, version)

    def _schedule_expiry(self) -> None:
        if not any(self._collections.values()):
            return
        for state_key, update in list(self._keys.items()):
            collection = self._collections.get(state_key[0])
            if collection is None or update.value is None:
                continue
            expires_at = collection.expires_at(self._block_number)
            if expires_at is not None:
                self._keys.update([scheduled(state_key, update.version, expires_at)])

    def _expire(self) -> None:
        """Nothing reads these updates any more, so they need no place in the order of keys."""
        for entry, state_key, version in due(self._state, self._block_number):
            self._keys[entry] = KeyUpdate(None, version)
            committed = self._state.get_state(*state_key)
            is_current = committed is not None and committed.version == version
            if is_current and state_key not in self._keys:
                self._keys[state_key] = KeyUpdate(None, version)

    def _put(self, namespace: str, key: str, update: KeyUpdate) -> None:
        if (namespace, key) not in self._keys:
            insort(self._ordered_keys.setdefault(namespace, []), key)
        self._keys[namespace, key] = update

    def _value(self, namespace: str, key: str) -> bytes | None:
        update = self._keys.get((namespace, key))
        if update is not None:
            return update.value
        committed = self._state.get_state(namespace, key)
        return None if committed is None else committed.value

    def _metadata(self, namespace: str, key: str) -> Metadata:
        """Metadata a new value of the key keeps."""
        update = self._keys.get((namespace, key))
        if update is not None:
            return update.metadata
        if not self._state.has_metadata(namespace):
            return ()
        committed = self._state.get_state(namespace, key)
        return () if committed is None else committed.metadata

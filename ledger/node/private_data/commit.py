"""What a block does to this peer's private data; belongs to the consensus thread.

Values that wait in the transient store go into the block's own batch. What is not here is noted as
missing and fetched afterwards: no block waits for private data.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ledger.errors import InvalidMessage
from ledger.model.codes import ValidationCode
from ledger.model.private_collections import Collection
from ledger.model.rwset import CollectionReadWriteSet, Version
from ledger.model.state import StateReader, private_namespace, split_hashed_namespace
from ledger.model.transaction import Envelope
from ledger.storage.kv import KeyValueReader
from ledger.storage.ledger_store import Writes
from ledger.storage.private_batch import BlockPrivateData, HeldSet, MissingSet, PrivateBatch
from ledger.storage.private_keyspace import SetPlace
from ledger.storage.transient_store import TransientKey, TransientStore
from ledger.validation.block import Entry
from ledger.validation.committed_collections import CommittedCollections
from ledger.validation.context import BlockValidation
from ledger.validation.private_hashes import require_hashed

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Found:
    """What is known of a block's private sets while its transactions are gone through."""

    held: list[HeldSet] = field(default_factory=list)
    missing: list[MissingSet] = field(default_factory=list)
    of_others: list[tuple[TransientKey, Version]] = field(default_factory=list)
    """Sets of collections this peer is no member of, and what wrote them."""


class PrivateCommit:
    """Makes the private part of a block's batch."""

    def __init__(self, mspid: str, transient: TransientStore) -> None:
        self._mspid = mspid
        self._transient = transient

    def of_block(
        self,
        block_number: int,
        entries: Sequence[Entry],
        validation: BlockValidation,
        state: StateReader,
    ) -> "PrivatePart":
        """`state` is the one before the block."""
        collections = CommittedCollections(state)
        found = _Found()
        for index, envelope in _valid(entries, validation):
            assert envelope.transaction is not None
            version = Version(block_number, index)
            for rwset in envelope.transaction.action.results.namespaces:
                for public in rwset.collections:
                    collection = collections.find(rwset.namespace, public.collection)
                    if collection is not None and public.private_rwset_hash and public.has_writes:
                        place = SetPlace(version, rwset.namespace, public.collection)
                        self._look(found, envelope.tx_id, place, public, collection)
        return PrivatePart(
            transient=self._transient,
            block_number=block_number,
            validation=validation,
            data=BlockPrivateData(tuple(found.held), tuple(found.missing)),
            of_others=tuple(found.of_others),
        )

    def _look(
        self,
        found: _Found,
        tx_id: str,
        place: SetPlace,
        public: CollectionReadWriteSet,
        collection: Collection,
    ) -> None:
        set_hash = public.private_rwset_hash
        if self._mspid not in collection.members:
            name = private_namespace(place.namespace, place.collection)
            found.of_others.append((TransientKey(tx_id, set_hash, name), place.version))
            return
        raw = self._transient.find(tx_id, place.namespace, place.collection, set_hash)
        if raw is None:
            found.missing.append(MissingSet(place, set_hash))
            return
        try:
            writes = require_hashed(raw, public)
        except InvalidMessage as error:
            # Its endorsers agreed on a set that its own hashes contradict; nobody has another.
            log.warning("private data of %s in %s is of no use: %s", tx_id, place, error)
            return
        expires_at = collection.expires_at(place.version.block_number)
        found.held.append(HeldSet(place, raw, writes, expires_at))


@dataclass(frozen=True, slots=True)
class PrivatePart:
    """The private part of one block."""

    transient: TransientStore
    block_number: int
    validation: BlockValidation
    data: BlockPrivateData
    of_others: tuple[tuple[TransientKey, Version], ...]

    @property
    def lacks_any(self) -> bool:
        """Whether something has to be fetched."""
        return bool(self.data.missing)

    def writes(self, reader: KeyValueReader) -> Writes:
        """`ledger.storage.ledger_store.PrivateChange`."""
        batch = PrivateBatch(reader)
        batch.add_block(self.block_number, self.validation.updates, self.data)
        tx_ids = [tx_id for tx_id in self.validation.tx_ids if tx_id]
        # Members may yet ask for what this peer endorsed for them, but not for what is purged.
        purged = self.transient.purged(self._purged_after(None))
        for_members = {
            key: self._purged_after(version).get(key.name, set())
            for key, version in self.of_others
        }
        settled = self.transient.settled(tx_ids, height=self.block_number, for_members=for_members)
        outdated = self.transient.outdated(self.block_number)
        return batch.writes() + purged + settled + outdated

    def _purged_after(self, written_at: Version | None) -> dict[str, set[bytes]]:
        """Hashes of keys the block purges after a transaction of its own, by private namespace."""
        gone: dict[str, set[bytes]] = {}
        for (space, key), purged_at in self.validation.updates.purged:
            collection = split_hashed_namespace(space)
            if collection is not None and (written_at is None or written_at < purged_at):
                gone.setdefault(private_namespace(*collection), set()).add(bytes.fromhex(key))
        return gone


def _valid(
    entries: Sequence[Entry], validation: BlockValidation
) -> Iterator[tuple[int, Envelope]]:
    for index, (entry, code) in enumerate(zip(entries, validation.codes, strict=True)):
        if isinstance(entry, Envelope) and entry.transaction and code == ValidationCode.VALID:
            yield index, entry

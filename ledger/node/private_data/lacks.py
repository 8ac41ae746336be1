"""What this peer lacks of its collections, and whether what somebody sent is it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ledger.endorsement.lifecycle.definitions import METADATA_PREFIX
from ledger.errors import InvalidMessage, NodeFault
from ledger.model.codec import decode_envelope
from ledger.model.codec_header import decode_identity
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.private_collections import Collection, implicit_name
from ledger.model.rwset import CollectionReadWriteSet
from ledger.model.state import hashed_namespace
from ledger.model.transaction import EndorserTransaction
from ledger.node.private_data.members import PrivateMembers
from ledger.node.private_data.requests import WANTED_MAX, WantedSet
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.private_batch import HeldSet, MissingSet
from ledger.storage.private_keyspace import SetPlace
from ledger.validation.committed_collections import committed_collections
from ledger.validation.private_hashes import is_whole, require_hashed

METADATA_END = METADATA_PREFIX + "\U0010ffff"
EndorsingMembers = frozenset[str]


@dataclass(frozen=True, slots=True)
class Lack:
    """A missing set, and what the ledger says of it."""

    wanted: WantedSet
    public: CollectionReadWriteSet
    collection: Collection
    endorsed_by: EndorsingMembers
    """Members whose peers simulated the transaction."""

    @property
    def place(self) -> SetPlace:
        """Which set."""
        return self.wanted.missing.place

    def verified(self, raw: bytes, store: LedgerStore) -> HeldSet | None:
        """The set if it is the one; None if something in force is left out of it.

        Raises InvalidMessage for what the ledger does not have the hashes of.
        """
        writes = require_hashed(raw, self.public)
        whole = is_whole(writes, raw, self.public, namespace=self.place.namespace, state=store)
        expires_at = self.collection.expires_at(self.place.version.block_number)
        return HeldSet(self.place, raw, writes, expires_at) if whole else None


@dataclass(frozen=True, slots=True)
class Lacks:
    """One page of what is missing."""

    lacks: tuple[Lack, ...]
    given_up: tuple[SetPlace, ...]
    """Expired, or of a collection this peer is no member of any more."""
    last: SetPlace | None
    """Where the next page goes on; None at the end."""


class PrivateLedger:
    """Reads the ledger with the eyes of one member."""

    def __init__(self, store: LedgerStore, members: PrivateMembers) -> None:
        self._store = store
        self._members = members

    def page(self, before: SetPlace | None) -> Lacks:
        """Up to WANTED_MAX missing sets, newest first."""
        found = list(islice(self._store.snapshot().private.missing(before), WANTED_MAX))
        looked = [(missing.place, self._lack(missing)) for missing in found]
        return Lacks(
            lacks=tuple(lack for _, lack in looked if lack is not None),
            given_up=tuple(place for place, lack in looked if lack is None),
            last=found[-1].place if len(found) == WANTED_MAX else None,
        )

    def own_collections(self) -> Iterator[tuple[str, Collection]]:
        """(namespace, collection) of every collection this peer keeps."""
        view = self._store.snapshot()
        namespaces = [LIFECYCLE_NAMESPACE]
        rows = view.range_state(LIFECYCLE_NAMESPACE, METADATA_PREFIX, METADATA_END)
        namespaces += [key.removeprefix(METADATA_PREFIX) for key, _ in rows]
        own = implicit_name(self._members.mspid)
        for namespace in namespaces:
            names = [*committed_collections(namespace, view), own]
            for name in names:
                collection = self._members.collection(namespace, name)
                if collection is not None and self._members.is_own(collection):
                    yield namespace, collection

    def has_holes(self, namespace: str, collection: str) -> bool:
        """Whether the ledger has the hash of a value that is not here."""
        view = self._store.snapshot()
        for key, _ in view.range_state(hashed_namespace(namespace, collection), "", ""):
            if not view.private.has(namespace, collection, bytes.fromhex(key)):
                return True
        return False

    def _lack(self, missing: MissingSet) -> Lack | None:
        place = missing.place
        collection = self._members.collection(place.namespace, place.collection)
        if collection is None or not self._members.is_own(collection):
            return None
        expires_at = collection.expires_at(place.version.block_number)
        if expires_at is not None and expires_at < self._store.height():
            return None
        tx_id, transaction = self._transaction(place)
        public = _public_set(transaction, place)
        return Lack(
            wanted=WantedSet(missing, tx_id),
            public=public,
            collection=collection,
            endorsed_by=_endorsing_members(transaction),
        )

    def _transaction(self, place: SetPlace) -> tuple[str, EndorserTransaction]:
        block = self._store.block(place.version.block_number)
        if block is None:
            raise NodeFault(
                f"private data is missing of block {place.version.block_number}, which is not here"
            )
        envelope = decode_envelope(block.entries[place.version.tx_number])
        assert envelope.transaction is not None, "only transactions write private data"
        return envelope.tx_id, envelope.transaction


def _public_set(transaction: EndorserTransaction, place: SetPlace) -> CollectionReadWriteSet:
    for rwset in transaction.action.results.namespaces:
        for public in rwset.collections if rwset.namespace == place.namespace else ():
            if public.collection == place.collection:
                return public
    raise NodeFault(f"the transaction at {place.version} writes nothing private there")


def _endorsing_members(transaction: EndorserTransaction) -> EndorsingMembers:
    found = set()
    for endorsement in transaction.endorsements:
        try:
            found.add(decode_identity(endorsement.endorser)[0])
        except InvalidMessage:
            continue  # it did not count for the policy either
    return frozenset(found)

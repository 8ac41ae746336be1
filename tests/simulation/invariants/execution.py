"""I8: what blocks of simulated clients do, executed a second time by other code.

It knows the transactions that `tests.simulation.transactions` makes (one namespace, reads with
versions, plain writes) and reads them from their bytes. Signatures of clients and endorsers are
taken as good: nobody in the simulation can forge them; endorsers are only counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ledger.audit.outcome import outcome_hash
from ledger.audit.state_digest import IDS_IN_USE_FROM, Place, StateDigest
from ledger.audit.wire_fields import Fields, read_fields
from ledger.audit.world_state import StateKey, StateValue, WorldState, commit_hash

VALID, ENDORSEMENT_POLICY_FAILURE, DUPLICATE_TXID, MVCC_READ_CONFLICT = 0, 10, 9, 11
READINGS_KEPT = 4_096
CONFIG = 1
"""Type of an envelope that carries a configuration."""

Version = tuple[int, int]
"""(block, position)"""


@dataclass(frozen=True, slots=True)
class ReadTransaction:
    """What a transaction claims to have read and wants to write."""

    tx_id: str
    endorsers: int
    reads: tuple[tuple[StateKey, Version | None], ...]
    writes: tuple[tuple[StateKey, bytes], ...]
    is_config: bool = False


@dataclass(frozen=True, slots=True)
class Executed:
    codes: bytes
    commit_hash: bytes


@dataclass(slots=True)
class Execution:
    """The state after the blocks so far."""

    state: WorldState = field(default_factory=WorldState)
    recorded: set[str] = field(default_factory=set)
    digest: StateDigest = field(default_factory=StateDigest)

    def run(
        self,
        number: int,
        entries: Sequence[bytes],
        *,
        genesis_hash: bytes,
        previous: bytes,
        members: int,
        given: bytes = b"",
    ) -> Executed:
        """Judge a block in order and take over what valid transactions write.

        Whether a configuration may change is not judged here: `given` are the block's own codes.
        """
        readings = [self.reading(entry) for entry in entries]
        codes = bytearray()
        changes: dict[StateKey, StateValue] = {}
        passed: set[str] = set()
        for position, tx in enumerate(readings):
            if tx.is_config and tx.tx_id not in self.recorded:
                code = given[position]
            else:
                code = self._code(tx, changes, passed, members)
            codes.append(code)
            if code == VALID:
                version = (number, position)
                changes.update({key: StateValue(value, version) for key, value in tx.writes})
        places: dict[str, Place] = {}
        for position, (tx, code) in enumerate(zip(readings, codes, strict=True)):
            if code in IDS_IN_USE_FROM and tx.tx_id not in self.recorded:
                places.setdefault(tx.tx_id, (number, position, code))
        self.digest.follow(self.state, changes, places)
        self.recorded.update(places)
        self.state.apply(changes)
        after = commit_hash(
            genesis_hash=genesis_hash,
            previous=previous,
            codes=bytes(codes),
            outcome=outcome_hash(number, entries, bytes(codes)),
            state_hash=self.digest.hash(),
        )
        return Executed(bytes(codes), after)

    @staticmethod
    def reading(entry: bytes) -> ReadTransaction:
        return read_transaction(entry)

    def _code(
        self,
        tx: ReadTransaction,
        changes: Mapping[StateKey, StateValue],
        passed: set[str],
        members: int,
    ) -> int:
        if tx.tx_id in self.recorded:
            return DUPLICATE_TXID
        if 2 * tx.endorsers <= members:
            return ENDORSEMENT_POLICY_FAILURE
        if tx.tx_id in passed:
            return DUPLICATE_TXID
        passed.add(tx.tx_id)
        for key, version in tx.reads:
            held = self.state.get(*key)
            if key in changes or (None if held is None else held.position) != version:
                return MVCC_READ_CONFLICT
        return VALID


@lru_cache(maxsize=READINGS_KEPT)
def read_transaction(entry: bytes) -> ReadTransaction:
    """Envelope > Payload > Transaction > action > endorsed action > result > read-write sets."""
    payload = read_fields(entry).message(1)
    channel_header = read_fields(payload.message(1).content(1))
    if channel_header.number(1) == CONFIG:
        return ReadTransaction(_text(channel_header, 5), 0, (), (), is_config=True)
    action = read_fields(payload.content(2)).message(1, 2, 2)
    results = read_fields(read_fields(action.content(1)).content(2)).content(1)
    reads: list[tuple[StateKey, Version | None]] = []
    writes: list[tuple[StateKey, bytes]] = []
    for raw in read_fields(results).contents(2):
        in_namespace = read_fields(raw)
        namespace = in_namespace.content(1).decode()
        sets = read_fields(in_namespace.content(2))
        reads += (((namespace, _text(f, 1)), _version(f)) for f in _all(sets, 1))
        writes += (((namespace, _text(f, 1)), f.content(3)) for f in _all(sets, 3))
    return ReadTransaction(
        tx_id=_text(channel_header, 5),
        endorsers=len({endorsement.content(1) for endorsement in _all(action, 2)}),
        reads=tuple(reads),
        writes=tuple(writes),
    )


def _all(fields: Fields, number: int) -> Iterable[Fields]:
    return map(read_fields, fields.contents(number))


def _text(fields: Fields, number: int) -> str:
    return fields.content(number).decode()


def _version(read: Fields) -> Version | None:
    if not read.has(2):
        return None
    version = read.message(2)
    return version.number(1), version.number(2)

"""Ledgers made by the product, with every record of their database at hand for tampering."""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.audit.replay import Findings
from ledger.audit.stored_ledger import LevelDbLedger
from ledger.audit.whole_ledger import verify_ledger
from ledger.endorsement.lifecycle.definitions import (
    LIFECYCLE_DEFINITION,
    FullDefinition,
    encode_definition,
)
from ledger.endorsement.simulation.simulator import LIFECYCLE_NAMESPACE
from ledger.model.codes import ValidationCode
from ledger.model.rwset import KeyWrite, NamespaceReadWriteSet, ReadWriteSet
from ledger.storage.memory import MemoryStore
from tests.support.identities import THREE_OF_FOUR
from tests.support.ledger_world import CHAINCODE, LedgerWorld, application_policy

END = b"\xff" * 8


class Records(dict[bytes, bytes]):
    """A database's records, read as plyvel has it."""

    @contextmanager
    def iterator(self, *, prefix: bytes) -> Iterator[Iterator[tuple[bytes, bytes]]]:
        yield ((key, self[key]) for key in sorted(self) if key.startswith(prefix))


class DefinedWorld(LedgerWorld):
    """A ledger whose contract's definition is on the ledger, as on a real channel."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        assert self.commit(definition_for(self)) == (ValidationCode.VALID,)

    def records(self) -> Records:
        """A copy of everything stored."""
        return records_of(self)


def definition_for(world: LedgerWorld) -> bytes:
    """The transaction that puts the contract's definition on the world's ledger."""
    world.definitions[LIFECYCLE_NAMESPACE] = LIFECYCLE_DEFINITION
    definition = FullDefinition(
        name=CHAINCODE, sequence=1, version="1.0", policy=application_policy(THREE_OF_FOUR)
    )
    writes = tuple(KeyWrite(key, value) for key, value in encode_definition(definition))
    results = ReadWriteSet((NamespaceReadWriteSet(LIFECYCLE_NAMESPACE, writes=writes),))
    return world.transaction(
        results, chaincode=LIFECYCLE_NAMESPACE, endorsed_chaincode=LIFECYCLE_NAMESPACE
    )


def records_of(world: LedgerWorld) -> Records:
    """A copy of everything that the world's ledger stores."""
    return Records(world.kv.iterate(b"", END))


def audit(records: Records, genesis_raw: bytes | None = None) -> Findings:
    """The independent verdict on these records."""
    return verify_ledger(LevelDbLedger(records), genesis_raw=genesis_raw)

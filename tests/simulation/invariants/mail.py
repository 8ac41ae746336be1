"""What a message on the network says, read once however many places send or get it."""

import zlib
from dataclasses import dataclass

from ledger.audit.wire_fields import BrokenBytes, Fields, read_fields
from ledger.wire.validator_pb2 import Item
from tests.simulation.oracle import PROPOSAL, Statement, read_statement
from tests.simulation.parcels import Parcels


@dataclass(frozen=True, slots=True, eq=False)
class Mail:
    """A consensus message; `statement` is None when nobody can read it."""

    raw: bytes
    checksum: int
    statement: Statement | None
    signatures: int
    """Its own and those of its parts."""
    has_block: bool

    @property
    def is_proposal(self) -> bool:
        return self.statement is not None and self.statement.kind == PROPOSAL


class MailReader:
    """Remembers every message of a run."""

    def __init__(self, parcels: Parcels) -> None:
        self._parcels = parcels
        self._by_item: dict[int, Mail | None] = {}
        self._by_bytes: dict[bytes, Mail] = {}

    def item(self, item: Item) -> Mail | None:
        """None for what is no consensus message."""
        key = id(item)
        try:
            return self._by_item[key]
        except KeyError:  # the parcels keep the item, so no other one gets its id
            kind, raw, _ = self._parcels.open(item)
            is_mail = kind == "consensus_message" and raw
            mail = self._by_item[key] = self.bytes(raw) if is_mail else None
            return mail

    def bytes(self, raw: bytes) -> Mail:
        mail = self._by_bytes.get(raw)
        if mail is None:
            mail = self._by_bytes[raw] = _read(raw)
        return mail


def _read(raw: bytes) -> Mail:
    try:
        message = read_fields(raw)
        statement = read_statement(message.content(1))
    except BrokenBytes:
        message, statement = Fields(()), None
    return Mail(
        raw=raw,
        checksum=zlib.crc32(raw),
        statement=statement,
        signatures=1 + len(message.contents(3)) + len(message.contents(4)),
        has_block=message.has(2),
    )

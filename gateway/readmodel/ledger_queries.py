"""Questions to the read model about the ledger itself: search, members, contracts."""

import re

from sqlalchemy import select

from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Found
from gateway.readmodel.tables import (
    Activity,
    BlockRow,
    Identity,
    ListingRow,
    TransactionRow,
)
from ledger.endorsement.lifecycle.definitions import (
    METADATA_PREFIX,
    FullDefinition,
    full_definition,
)
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.config import ChannelConfig
from ledger.model.config_codec import decode_config_block
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.state import VersionedValue

BLOCK_NUMBER = re.compile(r"^\d{1,15}$")
HEX_DIGEST = re.compile(r"^[0-9a-f]{64}$")


def search(readmodel: ReadModel, text: str) -> list[Found]:
    """Where a block number or hash, transaction id, listing, IDgrid, member or function leads."""
    asked = text.strip()
    hits: list[Found] = []
    with readmodel.connection() as connection:
        if BLOCK_NUMBER.match(asked) and readmodel.block(int(asked)) is not None:
            hits.append(Found("block", str(int(asked))))
        if HEX_DIGEST.match(asked.lower()):
            digest = asked.lower()
            hashed = select(BlockRow.number).where(BlockRow.hash == bytes.fromhex(digest))
            hits += [Found("block", str(row.number)) for row in connection.execute(hashed)]
            if readmodel.transaction(digest) is not None:
                hits.append(Found("transaction", digest))
        for kind, column in (
            ("listing", ListingRow.listing_id),
            ("household", Activity.idgrid),
            ("member", Identity.member),
            ("function", TransactionRow.function),
        ):
            if connection.execute(select(column).where(column == asked).limit(1)).first():
                hits.append(Found(kind, asked))
    return hits


def channel_config(readmodel: ReadModel) -> ChannelConfig | None:
    """What the members have agreed on: members, validators, policies; None without block 0."""
    newest = (
        select(TransactionRow.block_number)
        .where(
            TransactionRow.header_type == HeaderType.CONFIG,
            TransactionRow.code == ValidationCode.VALID,
        )
        .order_by(TransactionRow.block_number.desc())
        .limit(1)
    )
    with readmodel.connection() as connection:
        number = connection.execute(newest).scalar_one_or_none()
        block = None if number is None else readmodel.whole_block(number)
    return None if block is None else decode_config_block(block)


def contracts(readmodel: ReadModel) -> list[FullDefinition]:
    """Committed chaincode definitions, by name."""
    with readmodel.at_one_height():
        state = _LifecycleState(readmodel)
        names = [
            key.removeprefix(METADATA_PREFIX)
            for key, _ in readmodel.entries(METADATA_PREFIX, namespace=LIFECYCLE_NAMESPACE)
        ]
        found = [full_definition(name, state) for name in names]
    return [definition for definition in found if definition is not None]


class _LifecycleState:
    """The mirrored state as a `ledger.model.state.KeyReader`."""

    def __init__(self, readmodel: ReadModel) -> None:
        self._readmodel = readmodel

    def get_state(self, namespace: str, key: str) -> VersionedValue | None:
        """The mirrored value."""
        found = self._readmodel.entry(key, namespace=namespace)
        return None if found is None else VersionedValue(found.value, found.version)

"""A ledger of one process for unit tests of the gateway: real bytes, scripted contracts.

It endorses with whatever a test's function writes, puts each submitted transaction into a block
of its own and delivers real encoded blocks. The e2e tests run a real network instead.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.books.community import Community
from gateway.books.market import Market
from gateway.hems.running import StoredReadings, limits_for
from gateway.identity.issuing import NoIssuer
from gateway.identity.people import People
from gateway.identity.sessions import Sessions
from gateway.ledger_access.block_signal import BlockSignal
from gateway.local_time import fixed
from gateway.ports import CertificateIssuer
from gateway.readiness import Readiness
from gateway.readmodel.event_feed import EventFeed
from gateway.readmodel.following import follow_blocks
from gateway.readmodel.projector import Projector
from gateway.readmodel.queries import ReadModel
from gateway.services import Services, Slots
from gateway.shared_state.answered import AnsweredRequests
from gateway.shared_state.api_tokens import ApiTokens
from gateway.shared_state.submissions import Submissions
from gateway.shared_state.tries import Tries
from gateway.transactions.receipts import Receipts
from gateway.transactions.submitting import Transactions
from ledger.crypto.hashing import block_data_hash, block_hash, proposal_hash
from ledger.crypto.signing import SigningIdentity
from ledger.model.block import Block, BlockHeader, BlockSignatures, ConsenterMetadata
from ledger.model.codec import encode_envelope, prepared_transaction_payload
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_block import (
    decode_block,
    encode_block,
    encode_block_signatures,
    encode_commit_hash,
    encode_consenter_metadata,
    encode_orderer_block_metadata,
)
from ledger.model.codec_proposal import decode_proposal, strip_transient
from ledger.model.codes import ValidationCode
from ledger.model.rwset import KeyWrite, NamespaceReadWriteSet, ReadWriteSet
from ledger.model.transaction import ChaincodeAction, ChaincodeEvent, ChaincodeResponse
from network.certificates.authority import MemberAuthority
from tests.support.gateway_database import fresh_database

CHANNEL, CHAINCODE = "energy", "energy"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)

Writes = dict[str, bytes]
Contract = Callable[[str, Sequence[str]], Writes]


def an_identity(attributes: dict[str, str] | None = None) -> SigningIdentity:
    authority = MemberAuthority.create("CooperativeMSP", "Energy cooperative", now=NOW)
    return authority.signing_identity(authority.issue_client("someone", attributes, now=NOW))


@dataclass
class LedgerDouble:
    """See `gateway.ports.Ledger`; `contract` maps (function, args) to key writes or raises."""

    contract: Contract
    channel_id: str = CHANNEL
    code: ValidationCode = ValidationCode.VALID
    chain: list[Block] = field(default_factory=list)
    more: asyncio.Condition = field(default_factory=asyncio.Condition)
    event: tuple[str, bytes] = ("OrderPlaced", b'{"n":1}')
    """What every transaction announces."""
    block_time_ms: int = NOW_MS
    holds_back: bool = False
    held_back: asyncio.Event = field(default_factory=asyncio.Event)

    async def endorse(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        signed = decode_proposal(proposal, signature)
        function, *args = [argument.decode() for argument in signed.args]
        writes = self.contract(function, args)
        action = ChaincodeAction(
            results=ReadWriteSet(
                (
                    NamespaceReadWriteSet(
                        namespace=CHAINCODE,
                        writes=tuple(
                            KeyWrite(key, value, is_delete=not value)
                            for key, value in sorted(writes.items())
                        ),
                    ),
                )
            ),
            response=ChaincodeResponse(200, "", b""),
            event=ChaincodeEvent(CHAINCODE, tx_id, *self.event),
            chaincode_name=CHAINCODE,
            chaincode_version="1.0",
        )
        digest = proposal_hash(
            signed.header.channel_header_raw,
            signed.header.signature_header_raw,
            strip_transient(signed.payload_raw),
        )
        return prepared_transaction_payload(
            signed, encode_proposal_response_payload(digest, action), ()
        )

    async def submit(self, tx_id: str, payload: bytes, signature: bytes) -> None:
        if self.holds_back:
            self.held_back.set()
            return
        await self.add_block((encode_envelope(payload, signature),))

    async def evaluate(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        function, *args = [arg.decode() for arg in decode_proposal(proposal, signature).args]
        return json.dumps([function, args, sorted(self.contract(function, args))]).encode()

    async def height(self) -> int:
        return len(self.chain)

    async def blocks(self, first_number: int) -> AsyncIterator[Block]:
        number = first_number
        while True:
            async with self.more:
                await self.more.wait_for(lambda: len(self.chain) > number)  # noqa: B023
            yield self.chain[number]
            number += 1

    async def add_block(self, entries: tuple[bytes, ...]) -> None:
        previous = block_hash(self.chain[-1].header) if self.chain else b""
        header = BlockHeader(len(self.chain), previous, block_data_hash(entries))
        consenter = encode_consenter_metadata(
            ConsenterMetadata(
                round=0,
                proposer=1,
                block_time_ms=self.block_time_ms,
                transactions_root=bytes(32),
                validator_set_hash=bytes(32),
                previous_commit_hash=bytes(32),
            )
        )
        signatures = BlockSignatures(
            value_raw=encode_orderer_block_metadata(0, consenter),
            last_config_number=0,
            consenter_metadata_raw=consenter,
            signatures=(),
        )
        block = Block(
            header,
            entries,
            (
                encode_block_signatures(signatures),
                b"",
                bytes([self.code]) * len(entries),
                b"",
                encode_commit_hash(bytes(32)),
            ),
        )
        async with self.more:
            self.chain.append(decode_block(encode_block(block)))
            self.more.notify_all()


async def follow(ledger: LedgerDouble, services: Services) -> None:
    """What the server does with the block stream."""
    projector = Projector(services.readmodel.database, CHAINCODE)
    await follow_blocks(ledger, projector, services.blocks)


def services_over(
    ledger: LedgerDouble,
    clock_ms: Callable[[], int] = lambda: NOW_MS,
    *,
    energy_hour_ms: int = 7_000,
    readmodel: ReadModel | None = None,
    issuer: CertificateIssuer | None = None,
) -> Services:
    readmodel = readmodel or ReadModel(fresh_database(), CHAINCODE)
    blocks = BlockSignal()

    people = People.over(
        readmodel.database,
        clock_ms,
        community=Community(readmodel),
        issuer=issuer or NoIssuer(),
        community_name="Test community",
    )

    return Services(
        readmodel=readmodel,
        readiness=Readiness(ledger, readmodel, held_ms=0),
        blocks=blocks,
        feed=EventFeed(readmodel),
        transactions=Transactions(
            ledger=ledger,
            chaincode=CHAINCODE,
            readmodel=readmodel,
            blocks=blocks,
            submissions=Submissions(readmodel.database, clock_ms),
            clock_ns=lambda: clock_ms() * 1_000_000,
        ),
        market=Market(readmodel),
        community=Community(readmodel),
        api_tokens=ApiTokens(readmodel.database, clock_ms, people.endings),
        answered=AnsweredRequests(readmodel.database, clock_ms),
        tries=Tries(readmodel.database, clock_ms),
        receipts=Receipts(readmodel),
        sessions=Sessions(readmodel.database, clock_ms, people.endings),
        people=people,
        readings=StoredReadings.over(readmodel.database, limits_for(energy_hour_ms), clock_ms()),
        streams=Slots(4),
        clock_ms=clock_ms,
        community_name="Test community",
        energy_hour_ms=energy_hour_ms,
        local_time=fixed(-420),
    )

"""A ledger with real members, signatures, policies and seals: commit transactions, see codes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache

from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.hashing import (
    block_data_hash,
    block_signature_message,
    endorsement_message,
    proposal_hash,
)
from ledger.crypto.merkle import merkle_root
from ledger.crypto.msp import MspRegistry
from ledger.crypto.policy_text import parse_policy
from ledger.crypto.proposal import build_proposal
from ledger.crypto.signing import SigningIdentity, verify_signature
from ledger.endorsement.lifecycle.definitions import LIFECYCLE_DEFINITION, METADATA_PREFIX
from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.block import (
    Block,
    BlockHeader,
    BlockSignature,
    BlockSignatures,
    ConsenterMetadata,
)
from ledger.model.codec import (
    decode_entry,
    decode_envelope,
    encode_envelope,
    prepared_transaction_payload,
)
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_block import (
    encode_block_signatures,
    encode_commit_hash,
    encode_consenter_metadata,
    encode_identifier_header,
    encode_orderer_block_metadata,
)
from ledger.model.codec_proposal import decode_proposal, strip_transient
from ledger.model.codes import ValidationCode
from ledger.model.definition_keys import COLLECTIONS_FIELD, LIFECYCLE_NAMESPACE, field_key
from ledger.model.policy_codec import encode_application_policy
from ledger.model.private_collections import Collection, encode_collections
from ledger.model.rwset import (
    KeyRead,
    KeyWrite,
    MetadataWrite,
    NamespaceReadWriteSet,
    RangeQuery,
    ReadWriteSet,
    Version,
)
from ledger.model.transaction import (
    ChaincodeAction,
    ChaincodeEvent,
    ChaincodeResponse,
    Endorsement,
    Envelope,
)
from ledger.node.private_data.commit import PrivateCommit
from ledger.ordering.seals import check_certificate
from ledger.ordering.validator_set import ValidatorSet, validator_set
from ledger.storage.chain_check import verify_chain
from ledger.storage.kv import KeyValueStore
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.memory import MemoryStore
from ledger.storage.opening import open_ledger
from ledger.validation.block import validate_block
from ledger.validation.commit_hash import commitment_after
from ledger.validation.context import (
    BlockValidation,
    ChaincodeDefinition,
    SignatureChecker,
    ValidationContext,
)
from ledger.validation.outcome import outcome_hash
from ledger.validation.state_digest import state_hash
from ledger.wire import lifecycle_pb2
from tests.support.identities import CHANNEL_ID, THREE_OF_FOUR, Consortium, make_consortium

CHAINCODE = "market"
START_NS = 1_767_225_600_000_000_000


class MemberSignatures:
    """The membership and signature rules, remembering what was good (a SignatureChecker)."""

    def __init__(self, registry: MspRegistry) -> None:
        self._registry = registry
        self._good: set[tuple[bytes, bytes, bytes]] = set()
        self.verified = 0

    def verify(self, identity: bytes, message: bytes, signature: bytes) -> bool:
        if (identity, message, signature) in self._good:
            return True
        self.verified += 1
        try:
            key = self._registry.identity(identity).public_key
            verify_signature(key, message, signature)
        except InvalidMessage:
            return False
        self._good.add((identity, message, signature))
        return True


def put(key: str, value: bytes = b"v") -> KeyWrite:
    return KeyWrite(key, value)


def delete(key: str) -> KeyWrite:
    return KeyWrite(key, b"", is_delete=True)


def market(
    *,
    reads: Sequence[KeyRead] = (),
    ranges: Sequence[RangeQuery] = (),
    writes: Sequence[KeyWrite] = (),
    metadata: Sequence[MetadataWrite] = (),
) -> ReadWriteSet:
    """A read-write set of the one chaincode."""
    return ReadWriteSet(
        (
            NamespaceReadWriteSet(
                namespace=CHAINCODE,
                reads=tuple(reads),
                range_queries=tuple(ranges),
                writes=tuple(writes),
                metadata_writes=tuple(metadata),
            ),
        )
    )


@dataclass(frozen=True)
class Draft:
    """What a transaction will say; a test replaces what it wants to be wrong."""

    results: ReadWriteSet = field(default_factory=ReadWriteSet)
    channel_id: str = CHANNEL_ID
    chaincode: str = CHAINCODE
    endorsed_chaincode: str = CHAINCODE
    version: str = "1.0"
    event_of: str | None = None
    endorsers: tuple[SigningIdentity, ...] | None = None


class LedgerWorld:
    """One peer's ledger and the people who write to it."""

    def __init__(self, kv: KeyValueStore | None = None) -> None:
        self.consortium: Consortium = _consortium_then()
        self.kv: KeyValueStore = MemoryStore() if kv is None else kv
        self.client = self.consortium.members[0].client
        self.definitions = {
            CHAINCODE: ChaincodeDefinition(
                version="1.0", sequence=1, policy=application_policy(THREE_OF_FOUR)
            )
        }
        registry = self.consortium.registry()
        self.signatures = MemberSignatures(registry)
        self.policies = ChannelPolicies(self.consortium.config, registry)
        self.store = self.open()
        self._nonces = 0

    def open(self) -> LedgerStore:
        """Open the store again, as after a restart."""
        self.store = self.open_as(CHANNEL_ID, self.consortium.genesis)
        return self.store

    def open_as(self, channel_id: str, genesis: Block) -> LedgerStore:
        """What opening this store for some channel gives."""
        return open_ledger(self.kv, channel_id=channel_id, genesis=genesis)

    def context(self) -> ValidationContext:
        return ValidationContext(
            channel_id=CHANNEL_ID,
            signatures=self.signatures,
            policies=self.policies,
            definition=self.definitions.get,
            is_recorded=lambda tx_id: self.store.transaction_location(tx_id) is not None,
            check_config=_refuse_config,
        )

    def define_collections(self, *collections: Collection) -> None:
        """Commit the chaincode's private data collections, as its definition would."""
        assert self.commit(self.definition_of(*collections)) == (ValidationCode.VALID,)

    def definition_of(self, *collections: Collection) -> bytes:
        """The transaction that does so."""
        self.definitions.setdefault(LIFECYCLE_NAMESPACE, LIFECYCLE_DEFINITION)
        raw = encode_collections(collections)
        field = lifecycle_pb2.StateData(Bytes=raw).SerializeToString()
        writes = (
            KeyWrite(field_key(CHAINCODE, COLLECTIONS_FIELD), field),
            KeyWrite(METADATA_PREFIX + CHAINCODE, b"fields"),
        )
        results = ReadWriteSet((NamespaceReadWriteSet(LIFECYCLE_NAMESPACE, writes=writes),))
        return self.transaction(
            results, chaincode=LIFECYCLE_NAMESPACE, endorsed_chaincode=LIFECYCLE_NAMESPACE
        )

    # -- transactions -----------------------------------------------------------------------------

    def transaction(self, results: ReadWriteSet | None = None, **changes: object) -> bytes:
        """Envelope bytes of a new, fully signed transaction."""
        draft = replace(Draft(), **({"results": results} if results else {}), **changes)
        self._nonces += 1
        nonce = self._nonces.to_bytes(24, "big")
        _, proposal_raw = build_proposal(
            channel_id=draft.channel_id,
            chaincode_name=draft.chaincode,
            args=[b"run"],
            creator=self.client.serialized,
            nonce=nonce,
            timestamp_ns=START_NS + self._nonces,
        )
        proposal = decode_proposal(proposal_raw, self.client.sign(proposal_raw))
        bound_to = proposal_hash(
            proposal.header.channel_header_raw,
            proposal.header.signature_header_raw,
            strip_transient(proposal.payload_raw),
        )
        action = ChaincodeAction(
            results=draft.results,
            response=ChaincodeResponse(200, "", b"done"),
            event=(
                None
                if draft.event_of is None
                else ChaincodeEvent(draft.event_of, proposal.tx_id, "Happened", b"")
            ),
            chaincode_name=draft.endorsed_chaincode,
            chaincode_version=draft.version,
        )
        payload_raw = encode_proposal_response_payload(bound_to, action)
        endorsers = self.nodes(3) if draft.endorsers is None else draft.endorsers
        payload = prepared_transaction_payload(
            proposal, payload_raw, [endorse(node, payload_raw) for node in endorsers]
        )
        return self.sign(payload)

    def sign(self, payload: bytes) -> bytes:
        """Envelope bytes signed by the client."""
        return encode_envelope(payload, self.client.sign(payload))

    def nodes(self, count: int) -> tuple[SigningIdentity, ...]:
        return tuple(self.consortium.nodes(count))

    # -- blocks -----------------------------------------------------------------------------------

    def validate(self, *entries: bytes) -> BlockValidation:
        """What the ledger would say of these entries as its next block."""
        return validate_block(
            block_number=self.store.height(),
            envelopes=[decoded(raw) for raw in entries],
            state=self.store,
            context=self.context(),
        )

    def codes(self, *entries: bytes) -> tuple[ValidationCode, ...]:
        return self.validate(*entries).codes

    def commit(
        self, *entries: bytes, private: PrivateCommit | None = None
    ) -> tuple[ValidationCode, ...]:
        """Seal, validate and store the next block; returns its codes."""
        validation = self.validate(*entries)
        after = commitment_after(
            self.store.tip().commitment,
            genesis_hash=self.store.genesis_hash,
            block_number=self.store.height(),
            codes=validation.codes,
            outcome=outcome_hash(
                self.store.height(), entries, list(map(decode_entry, entries)), validation.codes
            ),
            updates=validation.updates,
            recorded=validation.recorded,
            state=self.store,
        )
        sealed = self.sealed_block(entries)
        metadata = (
            sealed.metadata[0],
            b"",
            bytes(validation.codes),
            encode_commit_hash(state_hash(after.digest)),
            encode_commit_hash(after.commit_hash),
        )
        block = replace(sealed, metadata=metadata)
        if private is None:
            self.store.commit(block, validation, after)
        else:
            envelopes = [decoded(raw) for raw in entries]
            part = private.of_block(block.number, envelopes, validation, self.store)
            self.store.commit(block, validation, after, part.writes)
        return validation.codes

    def sealed_block(self, entries: Sequence[bytes]) -> Block:
        """The next block with the seals of three of the four validators."""
        tip = self.store.tip()
        header = BlockHeader(tip.number + 1, tip.block_hash, block_data_hash(entries))
        value = encode_orderer_block_metadata(
            tip.last_config_number,
            encode_consenter_metadata(
                ConsenterMetadata(
                    round=0,
                    proposer=1,
                    block_time_ms=START_NS // 1_000_000 + header.number,
                    transactions_root=merkle_root(entries),
                    validator_set_hash=validator_set(self.consortium.config).set_hash,
                    previous_commit_hash=tip.commit_hash,
                    config_before=tip.last_config_number,
                )
            ),
        )
        seals = []
        for member in self.consortium.members[:3]:
            identifier = encode_identifier_header(member.consenter_id, bytes(24))
            message = block_signature_message(value, identifier, header)
            seals.append(
                BlockSignature(member.consenter_id, identifier, member.node.sign(message))
            )
        signatures = encode_block_signatures(BlockSignatures(value, 0, b"", tuple(seals)))
        return Block(header, tuple(entries), (signatures, b"", b"", b"", b""))

    def verify_chain(self) -> int:
        """The full check of the stored ledger with the product's rule for seals."""
        validators = validator_set(self.consortium.config)
        return verify_chain(self.store, lambda block: _check_seals(block, validators))

    def reopened(self) -> None:
        """Read the store anew without the checks of opening."""
        self.store = LedgerStore(self.kv)

    # -- state ------------------------------------------------------------------------------------

    def version(self, key: str) -> Version | None:
        found = self.store.get_state(CHAINCODE, key)
        return None if found is None else found.version

    def read(self, key: str) -> KeyRead:
        """A read of the key as it is now."""
        return KeyRead(key, self.version(key))

    def scan(self, start: str, end: str, *, exhausted: bool = True) -> RangeQuery:
        """A range query with the results of now."""
        found = self.store.range_state(CHAINCODE, start, end)
        reads = tuple(KeyRead(key, value.version) for key, value in found)
        return RangeQuery(start, end, exhausted, reads)


def application_policy(text: str) -> bytes:
    return encode_application_policy(parse_policy(text))


def endorse(node: SigningIdentity, payload_raw: bytes) -> Endorsement:
    return Endorsement(
        node.serialized, node.sign(endorsement_message(payload_raw, node.serialized))
    )


def decoded(raw: bytes) -> Envelope | TransactionInvalid:
    try:
        return decode_envelope(raw)
    except TransactionInvalid as error:
        return error


def _check_seals(block: Block, validators: ValidatorSet) -> None:
    check_certificate(block, validators)


def _refuse_config(_envelope: Envelope, _signatures: SignatureChecker) -> None:
    raise InvalidMessage(Reason.ROLE_NOT_ALLOWED, "nobody may change this configuration")


@lru_cache(maxsize=1)
def _consortium_then() -> Consortium:
    """Certificates that are valid at the time these ledgers play at, whenever tests run."""
    return make_consortium(datetime.fromtimestamp(START_NS / 1_000_000_000, UTC))

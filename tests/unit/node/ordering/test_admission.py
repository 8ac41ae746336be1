"""What enters a pool: good transactions, each judged on its own, whatever stands beside it."""

from concurrent.futures import ThreadPoolExecutor
from ssl import DER_cert_to_PEM_cert

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.crypto.hashing import transaction_id
from ledger.crypto.signing import CURVE_ORDER, SigningIdentity
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import encode_envelope, encode_request_payload
from ledger.model.codes import HeaderType
from ledger.model.config import WRITERS_POLICY
from ledger.model.transaction import Envelope
from ledger.node.membership.signatures import SignatureVerifier
from ledger.node.ordering.admission import Admission, AdmissionRules
from ledger.node.process.disk_watch import DiskWatch, Space, SpaceLimits
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from tests.support.identities import CHANNEL_ID, make_consortium
from tests.support.ledger_world import START_NS, LedgerWorld

pytestmark = pytest.mark.anyio
YEAR_MS = 366 * 24 * 3600 * 1000


class Gate:
    """An admission with everything real behind it."""

    def __init__(self, world: LedgerWorld) -> None:
        self.world = world
        self.executor = ThreadPoolExecutor(max_workers=1)
        registry = world.consortium.registry()
        self.pool = TransactionPool(PoolLimits(transactions_max=8))
        self.memory = EnvelopeMemory()
        self.added = 0
        self.limits = BlockLimits()
        self.config_refusal: InvalidMessage | None = None
        self.space = Space(free=2**40, total=2**41)
        self.disk = DiskWatch(lambda: self.space, SpaceLimits(), lambda _paused: None)
        self.now_ms = int(world.consortium.created.timestamp() * 1000) + 60_000
        self.admission = Admission(
            rules=AdmissionRules(
                channel_id=CHANNEL_ID,
                is_committed=lambda tx_id: world.store.transaction_location(tx_id) is not None,
                clock_ms=lambda: self.now_ms,
                require_writer=lambda creator: world.policies.require_path(
                    WRITERS_POLICY, [creator]
                ),
                check_config=self._check_config,
                limits=lambda: self.limits,
                require_space=self.disk.require_space,
            ),
            pool=self.pool,
            memory=self.memory,
            signatures=SignatureVerifier(lambda: registry, self.executor),
            executor=self.executor,
            on_added=self._count,
        )

    def _count(self) -> None:
        self.added += 1

    def _check_config(self, _envelope: Envelope) -> None:
        if self.config_refusal is not None:
            raise self.config_refusal

    async def reason(self, raw: bytes) -> Reason | None:
        (refusal,) = await self.admission.admit([raw])
        return None if refusal is None else refusal.reason


@pytest.fixture
def gate():
    made = Gate(LedgerWorld())
    yield made
    made.executor.shutdown()


def envelope_of(
    signer: SigningIdentity, *, tx_id: str | None = None, signature: bytes | None = None, **header
) -> bytes:
    nonce = bytes(24)
    payload = encode_request_payload(
        **{
            "header_type": HeaderType.ENDORSER_TRANSACTION,
            "channel_id": CHANNEL_ID,
            "creator": signer.serialized,
            "nonce": nonce,
            "timestamp_ns": START_NS,
            "data": b"",
            "tx_id": transaction_id(nonce, signer.serialized) if tx_id is None else tx_id,
            **header,
        }
    )
    return encode_envelope(payload, signer.sign(payload) if signature is None else signature)


async def test_a_good_transaction_enters_once(gate):
    raw = gate.world.transaction()
    assert await gate.admission.admit([raw]) == [None]
    assert await gate.admission.admit([raw]) == [None], "again is no error"
    assert len(gate.pool) == 1


async def test_each_is_judged_on_its_own(gate):
    good = [gate.world.transaction() for _ in range(3)]
    refusals = await gate.admission.admit([good[0], b"\xff\xff", good[1], b"", good[2]])
    assert [r is None for r in refusals] == [True, False, True, False, True]
    assert [e.raw for e in gate.pool.all()] == good
    assert gate.added == 1


async def test_nothing_is_announced_when_nothing_enters(gate):
    await gate.admission.admit([b"nonsense"])
    assert gate.added == 0


async def test_another_encoding_of_a_good_transaction(gate):
    """Other validators refuse a block that has it: it would stop the channel."""
    assert await gate.reason(gate.world.transaction() + b"\x1a\x01x") is Reason.MALFORMED
    assert len(gate.pool) == 0


async def test_another_channel(gate):
    assert await gate.reason(gate.world.transaction(channel_id="other")) is Reason.WRONG_CHANNEL


async def test_a_configuration_enters_only_if_it_would_take_effect(gate):
    raw = envelope_of(gate.world.consortium.members[0].node, header_type=HeaderType.CONFIG)
    gate.config_refusal = InvalidMessage(Reason.CONFIG_OUTDATED, "made on another version")
    assert await gate.reason(raw) is Reason.CONFIG_OUTDATED
    gate.config_refusal = None
    assert await gate.reason(raw) is None


async def test_a_transaction_larger_than_any_block_of_the_channel(gate):
    raw = gate.world.transaction()
    gate.limits = BlockLimits(absolute_bytes_max=len(raw) - 1)
    assert await gate.reason(raw) is Reason.OVERSIZED


@pytest.mark.parametrize("kind", [HeaderType.CONFIG_UPDATE, HeaderType.MESSAGE])
async def test_other_types_are_not_ordered(gate, kind):
    assert await gate.reason(envelope_of(gate.world.client, header_type=kind)) is Reason.MALFORMED


async def test_an_oversized_transaction_is_not_even_decoded(gate):
    assert await gate.reason(bytes(1024 * 1024 + 1)) is Reason.OVERSIZED
    assert len(gate.memory) == 0


async def test_a_replayed_transaction(gate):
    raw = gate.world.transaction()
    gate.world.commit(raw)
    assert await gate.reason(raw) is Reason.REPLAYED


async def test_a_signature_of_someone_else(gate):
    raw = gate.world.transaction()
    envelope = gate.memory.decode(raw)
    forged = gate.world.consortium.members[1].client.sign(envelope.payload_raw)
    assert await gate.reason(encode_envelope(envelope.payload_raw, forged)) is Reason.BAD_SIGNATURE


async def test_a_high_s_signature(gate):
    envelope = gate.memory.decode(gate.world.transaction())
    r, s = decode_dss_signature(envelope.signature)
    high = encode_dss_signature(r, CURVE_ORDER - s)
    raw = encode_envelope(envelope.payload_raw, high)
    assert await gate.reason(raw) is Reason.HIGH_S_SIGNATURE


async def test_a_client_of_another_consortium(gate):
    world = LedgerWorld()
    world.client = make_consortium(world.consortium.created).members[0].client
    assert await gate.reason(world.transaction()) is Reason.CERTIFICATE_INVALID


async def test_an_expired_client(gate):
    gate.now_ms += 100 * YEAR_MS
    assert await gate.reason(gate.world.transaction()) is Reason.CERTIFICATE_EXPIRED


async def test_a_bad_endorsement_is_for_validation_to_record(gate):
    stranger = make_consortium(gate.world.consortium.created).members[0].node
    assert await gate.reason(gate.world.transaction(endorsers=(stranger,))) is None


async def test_a_full_pool_says_so(gate):
    raws = [gate.world.transaction() for _ in range(10)]
    refusals = await gate.admission.admit(raws)
    assert [r.reason for r in refusals if r is not None] == [Reason.OVERLOADED] * 2


async def test_an_endorser_with_a_damaged_certificate(gate):
    """The certificate names a signature algorithm nobody knows."""
    node = gate.world.nodes(1)[0]
    broken = _with_unknown_algorithm(node)
    assert await gate.reason(gate.world.transaction(endorsers=(broken,))) is None


def _with_unknown_algorithm(node: SigningIdentity) -> SigningIdentity:
    der = x509.load_pem_x509_certificate(node.certificate_pem).public_bytes(Encoding.DER)
    ecdsa_with_sha256 = bytes.fromhex("06082a8648ce3d040302")
    unknown = bytes.fromhex("06082a8648ce3d04037f")
    assert der.count(ecdsa_with_sha256) == 2
    pem = DER_cert_to_PEM_cert(der.replace(ecdsa_with_sha256, unknown)).encode()
    return SigningIdentity(node.mspid, pem, node.signer)


async def test_while_the_disk_is_nearly_full_nothing_new_is_taken(gate) -> None:
    raw = gate.world.transaction()
    gate.space = Space(free=1, total=2**41)
    gate.disk.check()
    assert await gate.reason(raw) is Reason.NO_SPACE
    assert len(gate.pool) == 0
    gate.space = Space(free=2**40, total=2**41)
    gate.disk.check()
    assert await gate.reason(raw) is None

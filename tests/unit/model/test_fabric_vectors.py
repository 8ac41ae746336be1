"""Every hash and signature of real Fabric blocks recomputes with our rules, and none is left out.

Counts are asserted: a loop over nothing proves nothing. p0 to p9 are Fabric's own; p10 was
ordered by Python and committed by a Fabric peer.
"""

from itertools import pairwise

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

from ledger.crypto.hashing import (
    block_data_hash,
    block_hash,
    block_signature_message,
    endorsement_message,
    proposal_hash,
    transaction_id,
)
from ledger.model.block import SLOT_SIGNATURES, SLOT_TRANSACTIONS_FILTER, Block
from ledger.model.codec import decode_envelope, encode_envelope, require_well_formed_entry
from ledger.model.codec_block import (
    decode_block_signatures,
    decode_identifier_header,
    encode_block,
    encode_block_signatures,
    encode_identifier_header,
    encode_orderer_block_metadata,
)
from ledger.model.codec_header import (
    decode_identity,
    encode_identity,
    encode_signature_header,
)
from ledger.model.codec_parsing import parse_message
from ledger.model.codec_proposal import strip_transient
from ledger.model.codec_rwset import (
    decode_read_write_set,
    encode_namespace_keys,
    encode_read_write_set,
)
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.config import BLOCK_VALIDATION_POLICY, block_validation_policy
from ledger.model.config_codec import decode_config_block
from ledger.wire import protos_pb2, rwset_pb2
from tests.unit.model.fabric_blocks import (
    FOLDER,
    ORDERED_BY_PYTHON,
    all_blocks,
    endorser_transactions,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

BLOCKS = all_blocks()
FABRIC_BLOCKS = BLOCKS[:ORDERED_BY_PYTHON]
TRANSACTIONS = endorser_transactions(BLOCKS)
FABRIC_TRANSACTIONS = endorser_transactions(FABRIC_BLOCKS)


def public_key(certificate_pem: bytes) -> ec.EllipticCurvePublicKey:
    key = load_pem_x509_certificate(certificate_pem).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def verify(certificate_pem: bytes, signature: bytes, message: bytes) -> None:
    _, s = decode_dss_signature(signature)
    assert s <= P256_ORDER // 2
    public_key(certificate_pem).verify(signature, message, ec.ECDSA(SHA256()))


def verify_by_identity(identity: bytes, signature: bytes, message: bytes) -> str:
    mspid, certificate_pem = decode_identity(identity)
    verify(certificate_pem, signature, message)
    return mspid


def test_the_vectors_are_the_chain_the_read_me_describes():
    assert [block.number for block in BLOCKS] == list(range(11))
    assert all(len(block.entries) == 1 for block in BLOCKS)
    assert [env.header.channel.chaincode_name for env, _ in TRANSACTIONS] == [
        *["_lifecycle"] * 4, "basic", "basic", "private", "private", "private", "basic",
    ]  # fmt: skip
    assert {env.header.channel.type for env, _ in TRANSACTIONS} == {
        HeaderType.ENDORSER_TRANSACTION
    }


def test_chain_links():
    links = list(pairwise(BLOCKS))
    for previous, block in links:
        assert block.header.previous_hash == block_hash(previous.header)
    assert len(list(pairwise(FABRIC_BLOCKS))) == 9
    assert len(links) == 10
    assert BLOCKS[0].header.previous_hash == b""


def test_data_hashes():
    for block in BLOCKS:
        assert block.header.data_hash == block_data_hash(block.entries)
    assert len(FABRIC_BLOCKS) == 10
    assert len(BLOCKS) == 11


def test_blocks_encode_to_the_same_bytes():
    for block in BLOCKS:
        assert encode_block(block) == (FOLDER / f"p{block.number}.block").read_bytes()


def consenter_signatures(blocks: list[Block]) -> int:
    """Verifies every block signature and says how many there were."""
    certificate_pem = (FOLDER / "orderer-cert.pem").read_bytes()
    count = 0
    for block in blocks:
        signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
        for signature in signed.signatures:
            message = block_signature_message(
                signed.value_raw, signature.identifier_header_raw, block.header
            )
            verify(certificate_pem, signature.signature, message)
            assert signature.consenter_id == 1
            assert signature.signature_header_raw == b""
            count += 1
    return count


def test_block_signatures():
    assert consenter_signatures(FABRIC_BLOCKS) == 9
    assert consenter_signatures(BLOCKS) == 10


def test_a_block_signature_is_bound_to_all_three_parts():
    certificate_pem = (FOLDER / "orderer-cert.pem").read_bytes()
    block, other = BLOCKS[5], BLOCKS[6]
    signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    other_signed = decode_block_signatures(other.metadata[SLOT_SIGNATURES])
    (signature,) = signed.signatures
    (other_signature,) = other_signed.signatures
    right = (signed.value_raw, signature.identifier_header_raw, block.header)
    for wrong in (
        (other_signed.value_raw, *right[1:]),
        (right[0], other_signature.identifier_header_raw, right[2]),
        (*right[:2], other.header),
    ):
        with pytest.raises(InvalidSignature):
            verify(certificate_pem, signature.signature, block_signature_message(*wrong))


def test_signed_metadata_encodes_to_the_same_bytes():
    for block in BLOCKS:
        slot = block.metadata[SLOT_SIGNATURES]
        signed = decode_block_signatures(slot)
        assert encode_block_signatures(signed) == slot
        assert signed.last_config_number == 0
        if block.number > 0:
            assert signed.value_raw == encode_orderer_block_metadata(
                0, signed.consenter_metadata_raw
            )
        for signature in signed.signatures:
            consenter_id, nonce = decode_identifier_header(signature.identifier_header_raw)
            assert (consenter_id, len(nonce)) == (1, 24)
            assert encode_identifier_header(consenter_id, nonce) == signature.identifier_header_raw


def test_transaction_ids():
    for envelope, _ in TRANSACTIONS:
        header = envelope.header
        assert envelope.tx_id == transaction_id(header.nonce, header.creator)
    assert len(FABRIC_TRANSACTIONS) == 9
    assert len({envelope.tx_id for envelope, _ in TRANSACTIONS}) == 10


def test_nonces_and_creators_stay_the_bytes_they_were_sent_as():
    for envelope, _ in TRANSACTIONS:
        header = envelope.header
        assert len(header.nonce) == 24
        assert encode_signature_header(header.creator, header.nonce) == header.signature_header_raw
        mspid, certificate_pem = decode_identity(header.creator)
        assert encode_identity(mspid, certificate_pem) == header.creator
        assert certificate_pem.startswith(b"-----BEGIN CERTIFICATE-----")


def test_the_genesis_block_is_one_configuration_after_nothing():
    genesis = BLOCKS[0]
    assert (genesis.number, genesis.header.previous_hash) == (0, b"")
    (entry,) = genesis.entries
    assert decode_envelope(entry).header.channel.type == HeaderType.CONFIG
    assert not decode_block_signatures(genesis.metadata[SLOT_SIGNATURES]).signatures


def test_blocks_need_a_quorum_of_the_consenters_by_certificate():
    config = decode_config_block(BLOCKS[0])
    assert config.policies[BLOCK_VALIDATION_POLICY] == block_validation_policy(config.consenters)
    (consenter,) = config.consenters
    assert consenter.identity_pem == (FOLDER / "orderer-cert.pem").read_bytes()


def test_read_write_sets_are_in_byte_order():
    written = 0
    for _, transaction in TRANSACTIONS:
        namespaces = transaction.action.results.namespaces
        assert is_sorted([namespace.namespace for namespace in namespaces])
        for namespace in namespaces:
            for accesses in (namespace.reads, namespace.writes, namespace.metadata_writes):
                assert is_sorted([access.key for access in accesses])
            written += len(namespace.writes)
    assert written == 14


def is_sorted(names: list[str]) -> bool:
    return names == sorted(names, key=str.encode)


def test_creator_signatures():
    members = [
        verify_by_identity(envelope.header.creator, envelope.signature, envelope.payload_raw)
        for envelope, _ in TRANSACTIONS
    ]
    assert members == ["Org1MSP"] * 10


def test_proposal_hashes():
    hashes = []
    for envelope, transaction in TRANSACTIONS:
        recomputed = proposal_hash(
            envelope.header.channel_header_raw,
            envelope.header.signature_header_raw,
            transaction.proposal_payload_raw,
        )
        assert recomputed == transaction.proposal_hash
        hashes.append(recomputed)
    assert len(set(hashes)) == 10


def test_proposal_payloads_are_already_without_transient_data():
    for _, transaction in TRANSACTIONS:
        assert (
            strip_transient(transaction.proposal_payload_raw) == transaction.proposal_payload_raw
        )


def test_endorsements():
    signers = [
        verify_by_identity(
            endorsement.endorser,
            endorsement.signature,
            endorsement_message(transaction.proposal_response_payload_raw, endorsement.endorser),
        )
        for _, transaction in TRANSACTIONS
        for endorsement in transaction.endorsements
    ]
    assert signers == ["Org1MSP"] * 10


def test_entries_are_well_formed_and_encode_to_the_same_bytes():
    for envelope, _ in TRANSACTIONS:
        require_well_formed_entry(envelope.raw)
        assert encode_envelope(envelope.payload_raw, envelope.signature) == envelope.raw


def results_bytes(proposal_response_payload_raw: bytes) -> bytes:
    payload = parse_message(protos_pb2.ProposalResponsePayload, proposal_response_payload_raw)
    return parse_message(protos_pb2.ChaincodeAction, payload.extension).results


def test_read_write_sets_encode_to_the_same_bytes():
    per_transaction = []
    for _, transaction in TRANSACTIONS:
        raw = results_bytes(transaction.proposal_response_payload_raw)
        assert decode_read_write_set(raw) == transaction.action.results
        assert encode_read_write_set(transaction.action.results) == raw
        wire = parse_message(rwset_pb2.TxReadWriteSet, raw)
        for namespace, wire_namespace in zip(
            transaction.action.results.namespaces, wire.ns_rwset, strict=True
        ):
            assert encode_namespace_keys(namespace) == wire_namespace.rwset
        per_transaction.append(len(wire.ns_rwset))
    assert sum(per_transaction[:9]) == 17
    assert sum(per_transaction) == 19


def test_every_transaction_reads_the_sequence_of_its_chaincode():
    invocations = [t for _, t in TRANSACTIONS if t.chaincode_name != "_lifecycle"]
    for transaction in invocations:
        lifecycle = transaction.action.results.namespaces[0]
        assert lifecycle.namespace == "_lifecycle"
        assert f"namespaces/fields/{transaction.chaincode_name}/Sequence" in {
            read.key for read in lifecycle.reads
        }
    assert len(invocations) == 6


def test_private_data_leaves_hashes_only():
    results = TRANSACTIONS[6][1].action.results
    private = next(n for n in results.namespaces if n.namespace == "private")
    (collection,) = private.collections
    assert collection.collection == "Org1Collection"
    assert [len(w.key_hash) for w in collection.hashed_writes] == [32]
    assert [len(w.value_hash) for w in collection.hashed_writes] == [32]
    assert len(collection.private_rwset_hash) == 32


def test_flags_say_that_fabric_accepted_all_of_them():
    for block in BLOCKS:
        assert list(block.metadata[SLOT_TRANSACTIONS_FILTER]) == [ValidationCode.VALID]

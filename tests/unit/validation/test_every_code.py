"""All failure codes of Fabric, each from one signed transaction, through the shipped validator.

Three are of Fabric 1.x alone or cannot happen: for them the table says what ours records instead.
"""

from collections.abc import Callable

import pytest

from ledger.model.codec import encode_envelope
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE, field_key
from ledger.model.rwset import KeyRead, KeyWrite, NamespaceReadWriteSet, ReadWriteSet, Version
from ledger.wire import common_pb2, protos_pb2
from tests.support.ledger_world import CHAINCODE, LedgerWorld, market, put
from tests.unit.validation.test_codes import (
    changed,
    code_of,
    config_entry,
    with_action,
    with_channel_header,
)

Code = ValidationCode
Way = Callable[[LedgerWorld], bytes]
GARBAGE = b"\xff\xff"
SEQUENCE_KEY = field_key(CHAINCODE, "Sequence")


def with_result(world: LedgerWorld, **parts: bytes) -> bytes:
    """A transaction with parts of its endorsed result replaced by other bytes."""

    def change(transaction):
        payload = protos_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
        raw = payload.action.proposal_response_payload
        result = protos_pb2.ProposalResponsePayload.FromString(raw)
        action = protos_pb2.ChaincodeAction.FromString(result.extension)
        action.results = parts.get("results", action.results)
        result.extension = parts.get("extension", action.SerializeToString())
        payload.action.proposal_response_payload = result.SerializeToString()
        transaction.actions[0].payload = payload.SerializeToString()

    return with_action(world, world.transaction(), change)


def with_raw_channel_header(world: LedgerWorld) -> bytes:
    def change(payload):
        payload.header.channel_header = GARBAGE

    return changed(world, world.transaction(), change)


def without_action(transaction) -> None:
    payload = protos_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
    payload.ClearField("action")
    transaction.actions[0].payload = payload.SerializeToString()


def signed_by_another(world: LedgerWorld) -> bytes:
    one, other = (common_pb2.Envelope.FromString(world.transaction()) for _ in range(2))
    return encode_envelope(one.payload, other.signature)


def used_before(world: LedgerWorld) -> bytes:
    entry = world.transaction()
    world.commit(entry)
    return entry


def read_then_written(world: LedgerWorld) -> bytes:
    entry = world.transaction(market(reads=[world.read("a")]))
    world.commit(world.transaction(market(writes=[put("a")])))
    return entry


def scanned_then_written(world: LedgerWorld) -> bytes:
    entry = world.transaction(market(ranges=[world.scan("a", "z")]))
    world.commit(world.transaction(market(writes=[put("b")])))
    return entry


def written_twice(world: LedgerWorld) -> bytes:
    once = NamespaceReadWriteSet(CHAINCODE, writes=(put("a"),))
    return world.transaction(ReadWriteSet((once, once)))


REACHED: dict[Code, Way] = {
    Code.NIL_ENVELOPE: lambda world: b"",
    Code.BAD_PAYLOAD: lambda world: encode_envelope(GARBAGE, b"signature"),
    Code.BAD_COMMON_HEADER: lambda world: with_channel_header(world, world.transaction(), epoch=1),
    Code.BAD_CREATOR_SIGNATURE: signed_by_another,
    Code.INVALID_ENDORSER_TRANSACTION: lambda world: with_channel_header(
        world, world.transaction(), version=5
    ),
    Code.INVALID_CONFIG_TRANSACTION: config_entry,
    Code.UNSUPPORTED_TX_PAYLOAD: lambda world: with_channel_header(
        world, world.transaction(), type=HeaderType.MESSAGE
    ),
    Code.BAD_PROPOSAL_TXID: lambda world: with_channel_header(
        world, world.transaction(), tx_id="ab" * 32
    ),
    Code.DUPLICATE_TXID: used_before,
    Code.ENDORSEMENT_POLICY_FAILURE: lambda world: world.transaction(
        market(writes=[put("a")]), endorsers=world.nodes(2)
    ),
    Code.MVCC_READ_CONFLICT: read_then_written,
    Code.PHANTOM_READ_CONFLICT: scanned_then_written,
    Code.UNKNOWN_TX_TYPE: lambda world: with_channel_header(world, world.transaction(), type=77),
    Code.TARGET_CHAIN_NOT_FOUND: lambda world: world.transaction(channel_id="other"),
    Code.NIL_TXACTION: lambda world: with_action(world, world.transaction(), without_action),
    Code.BAD_HEADER_EXTENSION: lambda world: with_channel_header(
        world, world.transaction(), extension=GARBAGE
    ),
    Code.BAD_CHANNEL_HEADER: with_raw_channel_header,
    Code.BAD_RESPONSE_PAYLOAD: lambda world: with_result(world, extension=GARBAGE),
    Code.BAD_RWSET: lambda world: with_result(world, results=GARBAGE),
    Code.ILLEGAL_WRITESET: written_twice,
    Code.INVALID_WRITESET: lambda world: world.transaction(market(writes=[put("")])),
    Code.INVALID_CHAINCODE: lambda world: world.transaction(
        chaincode="ghost", endorsed_chaincode="ghost"
    ),
    Code.INVALID_OTHER_REASON: lambda world: world.transaction(event_of="other"),
}
"""One way to each code; the world has committed nothing yet."""

NEVER_RECORDED = {Code.MARSHAL_TX_ERROR, Code.EXPIRED_CHAINCODE, Code.CHAINCODE_VERSION_CONFLICT}


@pytest.fixture
def world():
    return LedgerWorld()


@pytest.mark.parametrize("code", REACHED, ids=lambda code: code.name)
def test_a_transaction_is_recorded_with_this_code(world, code):
    assert code_of(world, REACHED[code](world)) == code


def test_the_table_is_whole():
    failures = set(Code) - {Code.VALID, Code.NOT_VALIDATED}
    assert len(failures) == 26
    assert set(REACHED) | NEVER_RECORDED == failures
    assert not set(REACHED) & NEVER_RECORDED


def test_a_good_neighbour_is_valid_whatever_stands_beside_it(world):
    """A configuration must be alone and is left out; NOT_VALIDATED never remains."""
    bad = [REACHED[code](world) for code in REACHED if code != Code.INVALID_CONFIG_TRANSACTION]
    good = world.transaction(market(writes=[put("good")]))
    codes = world.codes(*bad, good)
    assert codes[-1] == Code.VALID
    assert codes.count(Code.VALID) == 1
    assert Code.NOT_VALIDATED not in codes


# -- what Fabric 1.x alone records ----------------------------------------------------------------


def sequence(number: int) -> ReadWriteSet:
    """What committing a definition writes, as far as other transactions read it."""
    write = KeyWrite(SEQUENCE_KEY, bytes((number,)))
    return ReadWriteSet((NamespaceReadWriteSet(LIFECYCLE_NAMESPACE, writes=(write,)),))


def definition_transaction(world: LedgerWorld, number: int) -> bytes:
    world.definitions.setdefault(LIFECYCLE_NAMESPACE, world.definitions[CHAINCODE])
    return world.transaction(
        sequence(number), chaincode=LIFECYCLE_NAMESPACE, endorsed_chaincode=LIFECYCLE_NAMESPACE
    )


def endorsed_at(world: LedgerWorld, version: Version) -> bytes:
    """A transaction whose simulation read the chaincode's sequence at this version."""
    read = KeyRead(SEQUENCE_KEY, version)
    lifecycle = NamespaceReadWriteSet(LIFECYCLE_NAMESPACE, reads=(read,))
    own = NamespaceReadWriteSet(CHAINCODE, writes=(put("a"),))
    return world.transaction(ReadWriteSet((lifecycle, own)))


def test_an_outdated_definition_is_a_read_conflict_and_no_expired_chaincode(world):
    assert world.commit(definition_transaction(world, 1)) == (Code.VALID,)
    first = Version(1, 0)
    entry = endorsed_at(world, first)
    assert world.codes(entry) == (Code.VALID,)
    assert world.commit(definition_transaction(world, 2)) == (Code.VALID,)
    assert world.codes(entry) == (Code.MVCC_READ_CONFLICT,)


def test_an_upgrade_in_the_same_block_is_a_read_conflict_and_no_version_conflict(world):
    assert world.commit(definition_transaction(world, 1)) == (Code.VALID,)
    entry = endorsed_at(world, Version(1, 0))
    upgrade = definition_transaction(world, 2)
    assert world.codes(upgrade, entry) == (Code.VALID, Code.MVCC_READ_CONFLICT)
    assert world.codes(entry, upgrade) == (Code.VALID, Code.VALID)


def test_what_does_not_parse_is_never_a_marshal_error(world):
    """An envelope has two fields of bytes: what parses can be encoded again."""
    for entry in (GARBAGE, b"\x0a", b"\x0a\x05ab", encode_envelope(b"\x0a\x02" + GARBAGE, b"s")):
        assert code_of(world, entry) in (
            Code.INVALID_OTHER_REASON,
            Code.BAD_PAYLOAD,
            Code.BAD_CHANNEL_HEADER,
        )

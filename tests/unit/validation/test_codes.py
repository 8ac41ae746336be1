"""Every validation code a block can get, each from one real, signed transaction gone wrong."""

from dataclasses import replace

import pytest

from ledger.crypto.hashing import transaction_id
from ledger.crypto.policy_text import parse_policy
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import encode_envelope, encode_request_payload
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.policy_codec import encode_signature_policy
from ledger.model.private_collections import Collection, implicit_name
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedWrite,
    KeyWrite,
    MetadataWrite,
    NamespaceReadWriteSet,
    ReadWriteSet,
)
from ledger.model.state import VALIDATION_PARAMETER
from ledger.validation.block import validate_block
from ledger.validation.context import ChaincodeDefinition
from ledger.validation.signatures import signatures_to_check
from ledger.wire import common_pb2, protos_pb2
from tests.support.identities import CHANNEL_ID, COOPERATIVE, UTILITY, make_consortium
from tests.support.ledger_world import (
    CHAINCODE,
    LedgerWorld,
    application_policy,
    decoded,
    market,
    put,
)

Code = ValidationCode


@pytest.fixture
def world():
    return LedgerWorld()


def code_of(world: LedgerWorld, entry: bytes) -> ValidationCode:
    """The verdict on an entry; what is invalid must change nothing."""
    validation = world.validate(entry)
    (code,) = validation.codes
    if code != Code.VALID:
        assert not validation.updates.keys
        assert not validation.updates.history
        assert validation.details[0]
    return code


def changed(world: LedgerWorld, entry: bytes, change) -> bytes:
    """The entry with its payload changed and signed again by the client."""
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(entry).payload)
    change(payload)
    return world.sign(payload.SerializeToString())


def with_channel_header(world: LedgerWorld, entry: bytes, **fields) -> bytes:
    def change(payload):
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
        for name, value in fields.items():
            setattr(header, name, value)
        payload.header.channel_header = header.SerializeToString()

    return changed(world, entry, change)


def with_signature_header(world: LedgerWorld, entry: bytes, **fields) -> bytes:
    def change(payload):
        header = common_pb2.SignatureHeader.FromString(payload.header.signature_header)
        for name, value in fields.items():
            setattr(header, name, value)
        payload.header.signature_header = header.SerializeToString()

    return changed(world, entry, change)


def with_action(world: LedgerWorld, entry: bytes, change_action) -> bytes:
    def change(payload):
        transaction = protos_pb2.Transaction.FromString(payload.data)
        change_action(transaction)
        payload.data = transaction.SerializeToString()

    return changed(world, entry, change)


def test_valid(world):
    assert code_of(world, world.transaction(market(writes=[put("a")]))) == Code.VALID


def test_valid_with_only_reads(world):
    assert code_of(world, world.transaction(market(reads=[world.read("a")]))) == Code.VALID


def test_nil_envelope(world):
    assert code_of(world, b"") == Code.NIL_ENVELOPE


def test_bad_payload(world):
    assert code_of(world, encode_envelope(b"\xff\xff", b"signature")) == Code.BAD_PAYLOAD


@pytest.mark.parametrize("fields", [{"nonce": b""}, {"creator": b""}])
def test_bad_common_header_without_nonce_or_creator(world, fields):
    entry = with_signature_header(world, world.transaction(), **fields)
    assert code_of(world, entry) == Code.BAD_COMMON_HEADER


def test_bad_common_header_with_an_epoch(world):
    entry = with_channel_header(world, world.transaction(), epoch=1)
    assert code_of(world, entry) == Code.BAD_COMMON_HEADER


def test_bad_creator_signature_of_another_payload(world):
    envelope = common_pb2.Envelope.FromString(world.transaction())
    other = common_pb2.Envelope.FromString(world.transaction())
    entry = encode_envelope(envelope.payload, other.signature)
    assert code_of(world, entry) == Code.BAD_CREATOR_SIGNATURE


def test_bad_creator_signature_of_a_stranger(world):
    world.client = make_consortium(world.consortium.created).members[0].client
    assert code_of(world, world.transaction()) == Code.BAD_CREATOR_SIGNATURE


def test_unknown_and_unsupported_types(world):
    entry = world.transaction()

    def of_type(number: int) -> ValidationCode:
        return code_of(world, with_channel_header(world, entry, type=number))

    assert of_type(77) == Code.UNKNOWN_TX_TYPE
    assert of_type(HeaderType.CONFIG_UPDATE) == Code.UNSUPPORTED_TX_PAYLOAD
    assert of_type(HeaderType.MESSAGE) == Code.UNSUPPORTED_TX_PAYLOAD


def test_bad_proposal_txid(world):
    entry = with_channel_header(world, world.transaction(), tx_id="ab" * 32)
    validation = world.validate(entry)
    assert validation.codes == (Code.BAD_PROPOSAL_TXID,)
    assert validation.tx_ids == ("",), "an unproven id must not use up another's"


def test_invalid_endorser_transaction_for_another_proposal(world):
    entry = with_channel_header(world, world.transaction(), version=5)
    assert code_of(world, entry) == Code.INVALID_ENDORSER_TRANSACTION


def test_invalid_endorser_transaction_with_another_header_in_the_action(world):
    def change(transaction):
        transaction.actions[0].header = b""

    entry = with_action(world, world.transaction(), change)
    assert code_of(world, entry) == Code.INVALID_ENDORSER_TRANSACTION


def test_invalid_endorser_transaction_with_two_actions(world):
    def change(transaction):
        transaction.actions.append(transaction.actions[0])

    entry = with_action(world, world.transaction(), change)
    assert code_of(world, entry) == Code.INVALID_ENDORSER_TRANSACTION


def test_no_action_at_all_is_refused(world):
    entry = with_action(world, world.transaction(), lambda transaction: transaction.Clear())
    assert code_of(world, entry) in (Code.NIL_TXACTION, Code.INVALID_ENDORSER_TRANSACTION)


def test_target_chain_not_found(world):
    assert code_of(world, world.transaction(channel_id="other")) == Code.TARGET_CHAIN_NOT_FOUND


def test_duplicate_txid_of_an_earlier_block(world):
    entry = world.transaction(market(writes=[put("a")]))
    world.commit(entry)
    assert code_of(world, entry) == Code.DUPLICATE_TXID


def test_duplicate_txid_of_an_invalid_earlier_transaction(world):
    entry = world.transaction(market(writes=[put("a")]), endorsers=world.nodes(1))
    assert world.commit(entry) == (Code.ENDORSEMENT_POLICY_FAILURE,)
    assert code_of(world, entry) == Code.DUPLICATE_TXID


def test_duplicate_txid_in_the_same_block_keeps_the_first(world):
    entry = world.transaction(market(writes=[put("a")]))
    other = world.transaction(market(writes=[put("b")]))
    assert world.codes(entry, other, entry) == (Code.VALID, Code.VALID, Code.DUPLICATE_TXID)


def test_invalid_chaincode_that_is_not_defined(world):
    entry = world.transaction(chaincode="ghost", endorsed_chaincode="ghost")
    assert code_of(world, entry) == Code.INVALID_CHAINCODE


@pytest.mark.parametrize("fields", [{"endorsed_chaincode": "other"}, {"version": ""}])
def test_invalid_chaincode_named_inconsistently(world, fields):
    assert code_of(world, world.transaction(**fields)) == Code.INVALID_CHAINCODE


def test_other_reason_event_of_another_chaincode(world):
    assert code_of(world, world.transaction(event_of=CHAINCODE)) == Code.VALID
    assert code_of(world, world.transaction(event_of="other")) == Code.INVALID_OTHER_REASON


def test_invalid_chaincode_when_an_undefined_namespace_is_written(world):
    results = ReadWriteSet((NamespaceReadWriteSet("ghost", writes=(put("a"),)),))
    assert code_of(world, world.transaction(results)) == Code.INVALID_CHAINCODE


def test_illegal_writeset_with_a_namespace_twice(world):
    once = NamespaceReadWriteSet(CHAINCODE, writes=(put("a"),))
    assert code_of(world, world.transaction(ReadWriteSet((once, once)))) == Code.ILLEGAL_WRITESET


@pytest.mark.parametrize("namespace", [LIFECYCLE_NAMESPACE, "lscc"])
def test_illegal_writeset_to_a_system_namespace(world, namespace):
    results = ReadWriteSet((NamespaceReadWriteSet(namespace, writes=(put("a"),)),))
    assert code_of(world, world.transaction(results)) == Code.ILLEGAL_WRITESET


def test_the_lifecycle_itself_may_write_its_namespace(world):
    world.definitions[LIFECYCLE_NAMESPACE] = world.definitions[CHAINCODE]
    entry = world.transaction(
        ReadWriteSet((NamespaceReadWriteSet(LIFECYCLE_NAMESPACE, writes=(put("a"),)),)),
        chaincode=LIFECYCLE_NAMESPACE,
        endorsed_chaincode=LIFECYCLE_NAMESPACE,
    )
    assert code_of(world, entry) == Code.VALID


def test_invalid_writeset_with_an_empty_key(world):
    assert code_of(world, world.transaction(market(writes=[put("")]))) == Code.INVALID_WRITESET


# -- endorsement policies -------------------------------------------------------------------------


def test_too_few_endorsements(world):
    results = market(writes=[put("a")])
    for count, expected in [(0, False), (2, False), (3, True), (4, True)]:
        entry = world.transaction(results, endorsers=world.nodes(count))
        assert (code_of(world, entry) == Code.VALID) is expected
        assert expected or code_of(world, entry) == Code.ENDORSEMENT_POLICY_FAILURE


def test_one_endorser_three_times_counts_once(world):
    entry = world.transaction(market(writes=[put("a")]), endorsers=world.nodes(1) * 3)
    assert code_of(world, entry) == Code.ENDORSEMENT_POLICY_FAILURE


def test_a_client_is_no_endorsing_peer(world):
    clients = tuple(member.client for member in world.consortium.members)
    entry = world.transaction(market(writes=[put("a")]), endorsers=clients)
    assert code_of(world, entry) == Code.ENDORSEMENT_POLICY_FAILURE


def test_a_forged_endorsement_counts_as_absent(world):
    def forge(transaction, good: int):
        payload = protos_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
        for endorsement in payload.action.endorsements[good:]:
            endorsement.signature = payload.action.endorsements[0].signature
        transaction.actions[0].payload = payload.SerializeToString()

    entry = world.transaction(market(writes=[put("a")]), endorsers=world.nodes(4))
    three_good = with_action(world, entry, lambda transaction: forge(transaction, 3))
    two_good = with_action(world, entry, lambda transaction: forge(transaction, 2))
    assert code_of(world, three_good) == Code.VALID
    assert code_of(world, two_good) == Code.ENDORSEMENT_POLICY_FAILURE


def test_a_forged_result_fails_the_policy(world):
    """Row 40: the client changes the write set after endorsement."""

    def forge(transaction):
        payload = protos_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
        raw = payload.action.proposal_response_payload
        assert b"honest" in raw
        payload.action.proposal_response_payload = raw.replace(b"honest", b"forged")
        transaction.actions[0].payload = payload.SerializeToString()

    entry = world.transaction(market(writes=[put("a", b"honest")]))
    forged = with_action(world, entry, forge)
    assert code_of(world, forged) == Code.ENDORSEMENT_POLICY_FAILURE


def test_every_written_namespace_has_its_say(world):
    strict = application_policy("AND('CoopMSP.peer','MunicipalityMSP.peer','UtilityMSP.peer')")
    world.definitions["vault"] = ChaincodeDefinition("1.0", 1, strict)
    both = ReadWriteSet(
        (
            NamespaceReadWriteSet(CHAINCODE, writes=(put("a"),)),
            NamespaceReadWriteSet("vault", writes=(put("a"),)),
        )
    )
    members = world.consortium.nodes(4)
    assert code_of(world, world.transaction(both)) == Code.ENDORSEMENT_POLICY_FAILURE
    with_utility = (members[0], members[1], members[3])
    assert code_of(world, world.transaction(both, endorsers=with_utility)) == Code.VALID


def test_reading_another_namespace_needs_no_endorsement_of_it(world):
    results = ReadWriteSet((NamespaceReadWriteSet("ghost", reads=(world.read("a"),)),))
    assert code_of(world, world.transaction(results)) == Code.VALID


def test_a_collection_has_its_own_policy(world):
    members = parse_policy("OR('CoopMSP.member')")
    policy = application_policy("OR('CoopMSP.peer')")
    world.define_collections(
        Collection("coop", members, endorsement_policy=policy), Collection("other", members)
    )

    def writes(collection: str) -> ReadWriteSet:
        hashed = CollectionReadWriteSet(
            collection, (), (HashedWrite(b"k" * 32, b"v" * 32),), b"h" * 32
        )
        return ReadWriteSet((NamespaceReadWriteSet(CHAINCODE, collections=(hashed,)),))

    alone = world.nodes(1)
    assert code_of(world, world.transaction(writes("coop"), endorsers=alone)) == Code.VALID
    refused = world.transaction(writes("other"), endorsers=alone)
    assert code_of(world, refused) == Code.ENDORSEMENT_POLICY_FAILURE
    assert code_of(world, world.transaction(writes("other"))) == Code.VALID


def test_an_implicit_collection_has_its_member_s_policy(world):
    def writes(mspid: str) -> ReadWriteSet:
        hashed = CollectionReadWriteSet(
            implicit_name(mspid), (), (HashedWrite(b"k" * 32, b"v" * 32),), b"h" * 32
        )
        return ReadWriteSet((NamespaceReadWriteSet(CHAINCODE, collections=(hashed,)),))

    coop, city = world.nodes(2)
    own = world.transaction(writes(coop.mspid), endorsers=(coop,))
    assert code_of(world, own) == Code.VALID
    for mspid, endorser in ((coop.mspid, city), ("NobodyMSP", coop)):
        entry = world.transaction(writes(mspid), endorsers=(endorser,))
        assert code_of(world, entry) == Code.ENDORSEMENT_POLICY_FAILURE


@pytest.mark.parametrize("is_defined", [False, True])
def test_a_collection_nobody_defined_takes_no_writes(world, is_defined):
    if is_defined:
        world.define_collections(Collection("other", parse_policy("OR('CoopMSP.member')")))
    hashed = CollectionReadWriteSet("coop", (), (HashedWrite(b"k" * 32, b"v" * 32),), b"h" * 32)
    results = ReadWriteSet((NamespaceReadWriteSet(CHAINCODE, collections=(hashed,)),))
    assert code_of(world, world.transaction(results)) == Code.ENDORSEMENT_POLICY_FAILURE


def key_policy(mspid: str) -> MetadataWrite:
    raw = encode_signature_policy(parse_policy(f"OR('{mspid}.peer')"))
    return MetadataWrite("a", ((VALIDATION_PARAMETER, raw),))


def test_a_keys_own_policy_replaces_the_chaincodes(world):
    world.commit(world.transaction(market(writes=[put("a"), put("b")])))
    world.commit(world.transaction(market(metadata=[key_policy(UTILITY)])))
    coop, utility = world.nodes(4)[0], world.nodes(4)[3]
    write_a, write_b = market(writes=[put("a")]), market(writes=[put("b")])

    def code(results, *endorsers):
        return code_of(world, world.transaction(results, endorsers=endorsers))

    assert code(write_a, utility) == Code.VALID
    assert code(write_a, *world.nodes(3)) == Code.ENDORSEMENT_POLICY_FAILURE
    assert code(write_b, utility) == Code.ENDORSEMENT_POLICY_FAILURE
    assert code(market(metadata=[key_policy(COOPERATIVE)]), coop) == (
        Code.ENDORSEMENT_POLICY_FAILURE
    )
    assert code(market(metadata=[key_policy(COOPERATIVE)]), utility) == Code.VALID


def test_a_write_after_a_policy_change_in_the_same_block_fails(world):
    world.commit(world.transaction(market(writes=[put("a")])))
    change = world.transaction(market(metadata=[key_policy(UTILITY)]))
    write = world.transaction(market(writes=[put("a", b"2")]), endorsers=world.nodes(4))
    assert world.codes(change, write) == (Code.VALID, Code.ENDORSEMENT_POLICY_FAILURE)
    assert world.codes(write, change) == (Code.VALID, Code.VALID)


def test_a_refused_policy_change_does_not_count(world):
    world.commit(world.transaction(market(writes=[put("a")])))
    change = world.transaction(market(metadata=[key_policy(UTILITY)]), endorsers=world.nodes(1))
    write = world.transaction(market(writes=[put("a", b"2")]))
    assert world.codes(change, write) == (Code.ENDORSEMENT_POLICY_FAILURE, Code.VALID)


# -- configuration --------------------------------------------------------------------------------


def config_entry(world: LedgerWorld) -> bytes:
    return world.sign(
        encode_request_payload(
            header_type=HeaderType.CONFIG,
            channel_id=CHANNEL_ID,
            creator=world.client.serialized,
            nonce=b"n" * 24,
            timestamp_ns=1,
            data=b"",
            tx_id=transaction_id(b"n" * 24, world.client.serialized),
        )
    )


def validate_config(world: LedgerWorld, entries: list[bytes], check_config):
    return validate_block(
        block_number=1,
        envelopes=[decoded(raw) for raw in entries],
        state=world.store,
        context=replace(world.context(), check_config=check_config),
    )


def test_a_config_that_the_rules_allow_is_valid(world):
    validation = validate_config(world, [config_entry(world)], lambda envelope, signatures: None)
    assert validation.codes == (Code.VALID,)
    assert validation.is_config


def test_a_config_that_the_rules_refuse(world):
    def refuse(envelope, signatures):
        raise InvalidMessage(Reason.ROLE_NOT_ALLOWED, "no")

    validation = validate_config(world, [config_entry(world)], refuse)
    assert validation.codes == (Code.INVALID_CONFIG_TRANSACTION,)
    assert not validation.is_config


def test_a_config_beside_others_is_refused_and_they_are_not(world):
    entries = [config_entry(world), world.transaction()]
    validation = validate_config(world, entries, lambda envelope, signatures: None)
    assert validation.codes == (Code.INVALID_CONFIG_TRANSACTION, Code.VALID)


# -- signatures ahead of time ---------------------------------------------------------------------


def test_signatures_checked_ahead_are_not_checked_again(world):
    entries = [world.transaction(market(writes=[put(f"k{n}")])) for n in range(3)]
    for entry in entries:
        for identity, message, signature in signatures_to_check(decoded(entry)):
            assert world.signatures.verify(identity, message, signature)
    checked = world.signatures.verified
    assert checked == 3 * 4
    assert world.codes(*entries) == (Code.VALID,) * 3
    assert world.signatures.verified == checked


def test_bad_entries_do_not_harm_their_neighbours(world):
    good = world.transaction(market(writes=[put("a")]))
    codes = world.codes(b"", good, b"\xff", world.transaction(channel_id="x"))
    assert codes[1] == Code.VALID
    assert Code.NOT_VALIDATED not in codes


def test_a_write_of_nothing_is_a_delete(world):
    world.commit(world.transaction(market(writes=[put("a", b"1")])))
    world.commit(world.transaction(market(writes=[KeyWrite("a", b"")])))
    assert world.store.get_state(CHAINCODE, "a") is None

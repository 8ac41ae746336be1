"""Block 0: Fabric's layout, the same bytes from the same inputs."""

from dataclasses import replace

import pytest

from ledger.crypto.hashing import block_data_hash
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import METADATA_SLOTS, SLOT_TRANSACTIONS_FILTER
from ledger.model.codec_block import decode_block, decode_block_signatures, encode_block
from ledger.model.config import BatchLimits, Consenter
from ledger.model.config_codec import decode_config_block
from ledger.ordering.validator_set import validator_set_hash
from network.certificates.authority import User
from network.founding.genesis import default_channel_config, genesis_block
from tests.support.identities import CHANNEL_ID, NETWORK_ID, consortium

TIME_NS = 1_800_000_000_000_000_000
NONCE = bytes(24)


def inputs() -> dict[str, object]:
    config = consortium().config
    return {
        "channel_id": CHANNEL_ID,
        "network_id": NETWORK_ID,
        "members": config.members,
        "consenters": config.consenters,
    }


def test_block_0_has_one_entry_no_parent_and_no_signature():
    block = decode_block(encode_block(consortium().genesis))
    assert (block.number, block.header.previous_hash, len(block.entries)) == (0, b"", 1)
    assert block.header.data_hash == block_data_hash(block.entries)
    assert len(block.metadata) == METADATA_SLOTS
    assert block.metadata[SLOT_TRANSACTIONS_FILTER] == b"\x00"
    assert decode_block_signatures(block.metadata[0]).signatures == ()
    # As in a genesis block made by Fabric: a value that names block 0 as newest configuration.
    assert block.metadata[0] == b"\x0a\x02\x0a\x00"


def test_the_configuration_is_read_back():
    assert decode_config_block(consortium().genesis) == consortium().config


def test_equal_inputs_give_equal_bytes_whatever_their_order():
    config = default_channel_config(**inputs())
    members, consenters = inputs()["members"], inputs()["consenters"]
    shuffled = default_channel_config(
        **{**inputs(), "members": members[::-1], "consenters": consenters[::-1]}
    )
    first, second = (
        encode_block(genesis_block(each, timestamp_ns=TIME_NS, nonce=NONCE))
        for each in (config, shuffled)
    )
    assert first == second


def test_large_blocks_raise_the_absolute_limit():
    limits = BatchLimits(max_transactions=10, max_bytes=32 * 1024 * 1024)
    config = default_channel_config(**inputs(), batch_limits=limits)
    block = genesis_block(config, timestamp_ns=TIME_NS, nonce=NONCE)
    decoded = decode_config_block(block).batch_limits
    assert decoded.absolute_max_bytes == decoded.max_bytes == 32 * 1024 * 1024


def test_members_and_consenters_must_fit_together():
    config = consortium().config
    stranger = replace(config.consenters[0], consenter_id=9, mspid="NobodyMSP")
    for changed in (
        {"members": ()},
        {"members": config.members * 2},
        {"consenters": ()},
        {"consenters": config.consenters * 2},
        {"consenters": (replace(config.consenters[0], consenter_id=0),)},
        {"consenters": (stranger,)},
    ):
        with pytest.raises(InvalidMessage) as caught:
            default_channel_config(**{**inputs(), **changed})
        assert caught.value.reason is Reason.MALFORMED


# -- the hash of the validator set ----------------------------------------------------------------


def consenters() -> tuple[Consenter, ...]:
    return consortium().config.consenters


def test_validator_set_hash_does_not_depend_on_order_or_addresses():
    expected = validator_set_hash(consenters())
    assert len(expected) == 32
    assert validator_set_hash(consenters()[::-1]) == expected
    assert validator_set_hash(replace(one, host="moved", port=1) for one in consenters()) == (
        expected
    )


def test_a_renewed_certificate_of_the_same_key_is_the_same_validator():
    member = consortium().members[0]
    user = User("renewed", consortium().identity(member.node).role)
    renewed = member.authority.certify(
        user, member.node.signer.public_key, now=consortium().created
    )
    first, *others = consenters()
    assert first.identity_pem != renewed
    changed = (replace(first, identity_pem=renewed), *others)
    assert validator_set_hash(changed) == validator_set_hash(consenters())


def test_another_key_id_member_or_size_is_another_set():
    first, second, *others = consenters()
    known = {validator_set_hash(consenters())}
    for changed in (
        (replace(first, identity_pem=second.identity_pem), second, *others),
        (replace(first, consenter_id=7), second, *others),
        (replace(first, mspid="OtherMSP"), second, *others),
        (second, *others),
    ):
        known.add(validator_set_hash(changed))
    assert len(known) == 5

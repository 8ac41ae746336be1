"""Updates of the channel's configuration, as members sign and validators apply them."""

from dataclasses import replace

from ledger.model.codec import decode_request
from ledger.model.config import CONFIG_BYTES_MAX, BatchLimits
from ledger.model.config_update import (
    SignedUpdate,
    UpdateSignature,
    channel_of_tree,
    decode_config_transaction,
    decode_update,
    encode_update_payload,
    tree_of_block,
    update_between,
    updated_tree,
)
from tests.fuzz import samples
from tests.fuzz.engine import Attempt, FuzzTarget
from tests.support.identities import CHANNEL_ID

UPDATE_BYTES_MAX = min(CONFIG_BYTES_MAX, 256 * 1024)
"""A configuration may be 4 MiB; ones of that size cost more than fuzzing wants."""


def _updates() -> list[bytes]:
    config = samples.world().consortium.config
    tree = _tree()
    changed = (
        replace(config, batch_limits=BatchLimits(max_transactions=7)),
        replace(config, block_interval_ms=250),
        replace(config, members=config.members[:3], consenters=config.consenters[:3]),
        replace(config, acls={"qscc/GetBlockByNumber": "/Channel/Application/Readers"}),
    )
    return [update_between(tree, one) for one in changed]


def _tree() -> bytes:
    return tree_of_block(samples.world().consortium.genesis)


def _applying() -> Attempt:
    """As if everybody had signed it; what comes out is read as the next configuration."""
    tree = _tree()

    def attempt(raw: bytes) -> None:
        after = updated_tree(tree, raw, channel_id=CHANNEL_ID, check_policy=lambda _path: None)
        channel_of_tree(after, channel_id=CHANNEL_ID)

    return attempt


def _envelopes() -> list[bytes]:
    here = samples.world()
    signature = UpdateSignature(here.client.serialized, b"signature")
    signed = [SignedUpdate(raw, (signature, signature)) for raw in _updates()]
    payloads = [
        encode_update_payload(
            one,
            channel_id=CHANNEL_ID,
            creator=here.client.serialized,
            nonce=bytes(24),
            timestamp_ns=1,
        )
        for one in signed
    ]
    return [*map(here.sign, payloads), here.consortium.genesis.entries[0]]


def _envelope(raw: bytes) -> None:
    request = decode_request(raw)
    if request.is_config:
        decode_config_transaction(request)
    else:
        decode_update(request)


TARGETS = (
    FuzzTarget(
        "config-update",
        "an update of the configuration, applied as if everybody had signed it",
        _updates,
        _applying,
        UPDATE_BYTES_MAX,
    ),
    FuzzTarget(
        "config-envelope",
        "the envelope of an update or of a configuration",
        _envelopes,
        lambda: _envelope,
        UPDATE_BYTES_MAX,
    ),
)

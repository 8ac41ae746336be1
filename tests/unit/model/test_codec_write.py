"""One write read out of a transaction is the one the whole transaction shows."""

import pytest

from ledger.errors import TransactionInvalid
from ledger.model.codec_write import CommittedWrite, decode_write
from tests.unit.model.fabric_blocks import all_blocks, endorser_transactions


def test_every_write_of_real_fabric_blocks_is_found_as_it_is() -> None:
    compared = 0
    for envelope, transaction in endorser_transactions(all_blocks()):
        channel = envelope.header.channel
        for rwset in transaction.action.results.namespaces:
            for write in rwset.writes:
                assert decode_write(envelope.raw, rwset.namespace, write.key) == CommittedWrite(
                    tx_id=channel.tx_id,
                    timestamp_ns=channel.timestamp_ns,
                    value=write.value,
                    is_delete=write.is_delete or not write.value,
                )
                assert decode_write(envelope.raw, "elsewhere", write.key) is None
                assert decode_write(envelope.raw, rwset.namespace, write.key + "x") is None
                compared += 1
    assert compared > 10


@pytest.mark.parametrize("raw", [b"", b"\xff\xff", b"\x0a\x00"])
def test_what_is_no_endorsed_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(TransactionInvalid, match="no endorsed transaction"):
        decode_write(raw, "energy", "key")

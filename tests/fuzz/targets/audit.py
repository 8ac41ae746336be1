"""Stored blocks as the independent verifier reads them, with a reader of its own."""

from ledger.audit.block_reading import read_block
from ledger.audit.read_write_sets import read_write_sets
from ledger.audit.transaction_reading import read_entry
from ledger.audit.wire_fields import BrokenBytes
from ledger.model.codec_rwset import encode_read_write_set
from tests.fuzz import samples
from tests.fuzz.engine import FuzzTarget

AUDITED_BYTES_MAX = 16 * 1024
"""The verifier reads in Python and in a command of its own: nobody waits for it."""
ENTRIES_READ = 4


def _audited_block(raw: bytes) -> None:
    for entry in read_block(raw).entries[:ENTRIES_READ]:
        read_entry(entry)


TARGETS = (
    FuzzTarget(
        "audited-block",
        "a stored block as the independent verifier reads it",
        samples.block_bytes,
        lambda: _audited_block,
        AUDITED_BYTES_MAX,
        allowed=(BrokenBytes,),
    ),
    FuzzTarget(
        "audited-results",
        "read-write sets as the independent verifier reads them",
        lambda: [encode_read_write_set(one) for one in samples.read_write_sets()],
        lambda: read_write_sets,
        AUDITED_BYTES_MAX,
        allowed=(BrokenBytes,),
    ),
)

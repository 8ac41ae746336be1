"""Use cases of receipts: files that prove what a transaction came to, without this gateway.

Made of two stored blocks, and checked before they leave; nothing here is believed by whoever
checks one.
"""

from gateway.errors import Problem, RequestRefused
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Position
from ledger.crypto.hashing import block_hash
from ledger.errors import InvalidMessage
from ledger.model.block import SLOT_SIGNATURES, Block
from ledger.model.codec_block import consenter_metadata, decode_block_signatures
from ledger.model.state import StateKey
from ledger.receipts.checking import check_receipt
from ledger.receipts.making import make_receipt
from ledger.receipts.receipt import encode_receipt
from ledger.receipts.refusals import NotProvable
from ledger.receipts.trust import TrustedValidators, trusted_from_blocks

RETRY_AFTER_S = 10


class Receipts:
    """Receipts of one channel, at the read model's height. Calls block."""

    def __init__(self, readmodel: ReadModel) -> None:
        self._readmodel = readmodel

    def of_transaction(self, tx_id: str) -> bytes:
        """Proof of a transaction's code; see `of_value` for what may be refused."""
        record = self._readmodel.transaction(tx_id)
        if record is None:
            raise RequestRefused(Problem.NOT_FOUND, f"no transaction {tx_id} is known here")
        return self._made(record.position, None)

    def of_value(self, key: str) -> bytes:
        """Proof of what a key of the contracts holds, by the transaction that wrote it.

        Raises RequestRefused: CONFLICT while the block that seals it is not there, NOT_FOUND for
        what is not there or has no proof.
        """
        entry = self._readmodel.entry(key)
        if entry is None:
            raise RequestRefused(Problem.NOT_FOUND, "the ledger has nothing of this name")
        position = Position(entry.version.block_number, entry.version.tx_number)
        return self._made(position, (self._readmodel.namespace, key))

    def validators(self) -> TrustedValidators:
        """Who may seal which blocks, from the genesis block to the newest block here."""
        with self._readmodel.at_one_height():
            tip = self._readmodel.height - 1
            genesis = self._block(0)
            try:
                return trusted_from_blocks(genesis, self._configurations(tip), as_of_block=tip)
            except InvalidMessage as error:
                raise RequestRefused(
                    Problem.NOT_FOUND, f"this ledger names no validators: {error.detail}"
                ) from error

    def _made(self, position: Position, written: StateKey | None) -> bytes:
        with self._readmodel.at_one_height():
            if position.block_number + 1 >= self._readmodel.height:
                raise RequestRefused(
                    Problem.CONFLICT,
                    "the next block makes the proof, and there is none yet",
                    headers={"Retry-After": str(RETRY_AFTER_S)},
                    extensions={"code": "NOT_SEALED_YET"},
                )
            trusted = self.validators()
            try:
                receipt = make_receipt(
                    self._block(position.block_number),
                    self._block(position.block_number + 1),
                    genesis_hash=block_hash(self._block(0).header),
                    index=position.index,
                    written=written,
                )
            except NotProvable as error:
                raise RequestRefused(Problem.NOT_FOUND, str(error)) from error
        raw = encode_receipt(receipt)
        check_receipt(raw, trusted)  # no bad one leaves: the state hash is the peer's word
        return raw

    def _configurations(self, tip: int) -> list[Block]:
        """Blocks with a configuration up to `tip`, ascending; each names the one before it."""
        found: list[Block] = []
        newest = self._block(tip).metadata[SLOT_SIGNATURES]
        number = decode_block_signatures(newest).last_config_number
        while number > 0:
            found.append(self._block(number))
            number = _config_before(found[-1])
        return found[::-1]

    def _block(self, number: int) -> Block:
        block = self._readmodel.whole_block(number)
        if block is None:
            raise RequestRefused(Problem.LEDGER_UNAVAILABLE, f"block {number} is not here yet")
        return block


def _config_before(block: Block) -> int:
    metadata = consenter_metadata(block)
    return 0 if metadata is None else metadata.config_before

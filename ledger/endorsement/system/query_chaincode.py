"""`qscc`: blocks and transactions of the ledger, for explorers and Fabric's CLI."""

from collections.abc import Callable, Mapping
from typing import Protocol

from ledger.endorsement.runtimes.peer_session import Execution
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.endorsement.system.access import AccessDenied, SystemAccess
from ledger.endorsement.system.chaincodes import (
    QUERY_CHAINCODE,
    failure,
    function_name,
    success,
)
from ledger.errors import GridledgerError
from ledger.model.block import Block
from ledger.model.private_collections import BLOCK_NUMBER_MAX
from ledger.model.transaction import ChaincodeResponse, SignedProposal
from ledger.storage.keyspace import TxLocation
from ledger.storage.ledger_store import LedgerTip
from ledger.wire import common_pb2, protos_pb2

CHAIN_INFO = "GetChainInfo"
NUMBER_DIGITS_MAX = 20


class Blocks(Protocol):
    """Of one channel's ledger; `ledger.storage.ledger_store.LedgerStore` is one."""

    def tip(self) -> LedgerTip: ...
    def block(self, number: int) -> Block | None: ...
    def block_raw(self, number: int) -> bytes | None: ...
    def block_by_hash(self, header_hash: bytes) -> Block | None: ...
    def transaction_location(self, tx_id: str) -> TxLocation | None: ...


class _NotFound(GridledgerError):  # noqa: N818 - a fact about one question
    """There is no such block or transaction; the text goes to the client."""


class QueryChaincode:
    """Answers with Fabric's messages, encoded; block and transaction bytes as stored."""

    def __init__(self, channel_id: str, blocks: Blocks, access: SystemAccess) -> None:
        self._channel_id = channel_id
        self._blocks = blocks
        self._access = access
        self._functions: Mapping[str, Callable[[bytes], bytes]] = {
            CHAIN_INFO: self._chain_info,
            "GetBlockByNumber": self._block_by_number,
            "GetBlockByHash": self._block_by_hash,
            "GetBlockByTxID": self._block_by_transaction,
            "GetTransactionByID": self._transaction,
        }

    async def invoke(self, proposal: SignedProposal, simulator: TransactionSimulator) -> Execution:
        """See SystemChaincode; arguments: function, channel, and what is looked for."""
        return Execution(self._answer(proposal), None, simulator)

    def _answer(self, proposal: SignedProposal) -> ChaincodeResponse:
        name, args = function_name(proposal), proposal.args
        if len(args) < 2:  # noqa: PLR2004 - function and channel
            return failure(f"Incorrect number of arguments, {len(args)}")
        if name != CHAIN_INFO and len(args) < 3:  # noqa: PLR2004 - and what is looked for
            return failure(f"missing 3rd argument for {name[:80]}")
        channel = args[1].decode("utf-8", "replace")
        if channel != self._channel_id:
            return failure(f"Invalid chain ID, {channel[:80]}")
        try:
            self._access.require(f"{QUERY_CHAINCODE}/{name}", proposal.header.creator)
        except AccessDenied as error:
            return failure(f"access denied for [{name[:80]}][{channel}]: [{error}]")
        try:
            return success(self._functions[name](args[-1]))
        except _NotFound as error:
            return failure(str(error))

    def _chain_info(self, _raw: bytes) -> bytes:
        tip = self._blocks.tip()
        newest = self._blocks.block(tip.number)
        assert newest is not None, "the newest block is always here"
        return common_pb2.BlockchainInfo(
            height=tip.number + 1,
            currentBlockHash=tip.block_hash,
            previousBlockHash=newest.header.previous_hash,
        ).SerializeToString()

    def _block_by_number(self, raw: bytes) -> bytes:
        text = raw.decode("utf-8", "replace")
        is_number = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
        if not is_number or int(text) > BLOCK_NUMBER_MAX:
            raise _NotFound(
                f"Failed to parse block number with error {text[:40]!r} is no whole number"
            )
        return self._stored(int(text), f"Failed to get block number {text}")

    def _block_by_hash(self, header_hash: bytes) -> bytes:
        block = self._blocks.block_by_hash(header_hash)
        words = f"Failed to get block hash {header_hash[:32].hex()}"
        return self._stored(-1 if block is None else block.number, words)

    def _block_by_transaction(self, raw: bytes) -> bytes:
        location = self._location(raw, "Failed to get block for txID {}, error {}")
        return self._stored(location.block_number, "Failed to get block for txID")

    def _transaction(self, raw: bytes) -> bytes:
        location = self._location(raw, "Failed to get transaction with id {}, error {}")
        block = self._blocks.block(location.block_number)
        if block is None:
            raise _NotFound("the block of the transaction is before this peer's snapshot")
        return protos_pb2.ProcessedTransaction(
            transactionEnvelope=common_pb2.Envelope.FromString(block.entries[location.tx_index]),
            validationCode=location.code,
        ).SerializeToString()

    def _stored(self, number: int, words: str) -> bytes:
        raw = self._blocks.block_raw(number)
        if raw is None:
            raise _NotFound(f"{words}, error no such block number or hash in index")
        return raw

    def _location(self, raw: bytes, words: str) -> TxLocation:
        tx_id = raw.decode("utf-8", "replace")
        location = self._blocks.transaction_location(tx_id)
        if location is None:
            shown = tx_id[:80]
            raise _NotFound(words.format(shown, f"no such transaction ID [{shown}] in index"))
        return location

"""Every validation code in words a household understands."""

from collections.abc import Mapping

from gateway.web.languages import N_
from ledger.model.codes import ValidationCode as Code

_BROKEN = N_("the transaction is broken: a part of it cannot be read")
_NOT_HERE = N_("the transaction is of a kind that this ledger does not take")

CODE_TEXTS: Mapping[Code, str] = {
    Code.VALID: N_("accepted; what it wrote is on the ledger"),
    Code.NIL_ENVELOPE: _BROKEN,
    Code.BAD_PAYLOAD: _BROKEN,
    Code.BAD_COMMON_HEADER: _BROKEN,
    Code.BAD_CREATOR_SIGNATURE: N_("the signature is not that of the sender"),
    Code.INVALID_ENDORSER_TRANSACTION: _BROKEN,
    Code.INVALID_CONFIG_TRANSACTION: N_("the configuration may not be changed like this"),
    Code.UNSUPPORTED_TX_PAYLOAD: _NOT_HERE,
    Code.BAD_PROPOSAL_TXID: N_("the transaction's id is not that of its content"),
    Code.DUPLICATE_TXID: N_("the same transaction was on the ledger already"),
    Code.ENDORSEMENT_POLICY_FAILURE: N_("too few members confirmed the transaction"),
    Code.MVCC_READ_CONFLICT: N_("another transaction changed the same state first"),
    Code.PHANTOM_READ_CONFLICT: N_("another transaction changed the same state first"),
    Code.UNKNOWN_TX_TYPE: _NOT_HERE,
    Code.TARGET_CHAIN_NOT_FOUND: N_("the transaction is for another ledger"),
    Code.MARSHAL_TX_ERROR: _BROKEN,
    Code.NIL_TXACTION: _BROKEN,
    Code.EXPIRED_CHAINCODE: N_("the contract was replaced by a newer version"),
    Code.CHAINCODE_VERSION_CONFLICT: N_("the contract was replaced by a newer version"),
    Code.BAD_HEADER_EXTENSION: _BROKEN,
    Code.BAD_CHANNEL_HEADER: _BROKEN,
    Code.BAD_RESPONSE_PAYLOAD: _BROKEN,
    Code.BAD_RWSET: _BROKEN,
    Code.ILLEGAL_WRITESET: N_("the transaction writes where its contract may not"),
    Code.INVALID_WRITESET: N_("the transaction writes where its contract may not"),
    Code.INVALID_CHAINCODE: N_("there is no such contract"),
    Code.NOT_VALIDATED: N_("not judged yet"),
    Code.INVALID_OTHER_REASON: N_("the transaction is not valid"),
}

"""What one envelope must satisfy by itself, in Fabric's order of checks.

Every function raises TransactionInvalid with the code that the block records.
"""

from ledger.crypto.hashing import proposal_hash, transaction_id
from ledger.errors import InvalidMessage, TransactionInvalid
from ledger.model.codes import ValidationCode
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.rwset import NamespaceReadWriteSet
from ledger.model.transaction import EndorserTransaction, Envelope
from ledger.validation.context import ValidationContext

SYSTEM_NAMESPACES = frozenset({LIFECYCLE_NAMESPACE, "lscc", "cscc", "qscc", "escc", "vscc"})


def check_header(envelope: Envelope) -> None:
    """Epoch, nonce and creator; types that do not belong in a block were refused at decoding."""
    header = envelope.header
    if header.channel.epoch != 0:
        raise TransactionInvalid(
            ValidationCode.BAD_COMMON_HEADER, f"epoch is {header.channel.epoch}, must be 0"
        )
    if not header.nonce or not header.creator:
        raise TransactionInvalid(ValidationCode.BAD_COMMON_HEADER, "nonce or creator is empty")


def check_creator(envelope: Envelope, context: ValidationContext) -> None:
    """The client is a member and signed the payload."""
    creator = envelope.header.creator
    if not context.signatures.verify(creator, envelope.payload_raw, envelope.signature):
        raise TransactionInvalid(
            ValidationCode.BAD_CREATOR_SIGNATURE, "creator is no valid member or did not sign this"
        )


def check_transaction_id(envelope: Envelope) -> None:
    """The id is the hash of nonce and creator, so nobody can use up another's id."""
    expected = transaction_id(envelope.header.nonce, envelope.header.creator)
    if envelope.tx_id != expected:
        raise TransactionInvalid(
            ValidationCode.BAD_PROPOSAL_TXID, f"transaction id must be {expected}"
        )


def check_channel(envelope: Envelope, context: ValidationContext) -> None:
    """The transaction is meant for this channel."""
    if envelope.header.channel.channel_id != context.channel_id:
        raise TransactionInvalid(
            ValidationCode.TARGET_CHAIN_NOT_FOUND,
            f"channel is {envelope.header.channel.channel_id!r}, not {context.channel_id!r}",
        )


def check_new(envelope: Envelope, context: ValidationContext) -> None:
    """The transaction id was not used in an earlier block."""
    if context.is_recorded(envelope.tx_id):
        raise TransactionInvalid(
            ValidationCode.DUPLICATE_TXID, "the transaction is in an earlier block"
        )


def check_config(envelope: Envelope, context: ValidationContext, entries_in_block: int) -> None:
    """A configuration stands alone in its block and satisfies the channel's rules."""
    if entries_in_block != 1:
        raise TransactionInvalid(
            ValidationCode.INVALID_CONFIG_TRANSACTION, "a CONFIG must be alone in its block"
        )
    try:
        context.check_config(envelope, context.signatures)
    except InvalidMessage as error:
        raise TransactionInvalid(ValidationCode.INVALID_CONFIG_TRANSACTION, str(error)) from error


def endorser_transaction(envelope: Envelope) -> EndorserTransaction:
    """The one action, bound to its header and to the proposal that the client signed."""
    transaction, header = envelope.transaction, envelope.header
    if transaction is None:
        raise TransactionInvalid(ValidationCode.NIL_TXACTION, "no action")
    if transaction.header_raw != header.signature_header_raw:
        raise TransactionInvalid(
            ValidationCode.INVALID_ENDORSER_TRANSACTION, "the action's header is not the payload's"
        )
    expected = proposal_hash(
        header.channel_header_raw, header.signature_header_raw, transaction.proposal_payload_raw
    )
    if transaction.proposal_hash != expected:
        raise TransactionInvalid(
            ValidationCode.INVALID_ENDORSER_TRANSACTION,
            "the endorsed result belongs to another proposal",
        )
    return transaction


def check_chaincode(envelope: Envelope, transaction: EndorserTransaction) -> None:
    """Header, proposal and result name the same chaincode; its event does too."""
    name, action = envelope.header.channel.chaincode_name, transaction.action
    if not name or name != transaction.chaincode_name or name != action.chaincode_name:
        raise TransactionInvalid(
            ValidationCode.INVALID_CHAINCODE,
            f"chaincode is {name!r} in the header, {transaction.chaincode_name!r} in the proposal"
            f" and {action.chaincode_name!r} in the result",
        )
    if not action.chaincode_version:
        raise TransactionInvalid(ValidationCode.INVALID_CHAINCODE, "chaincode version is empty")
    if action.event is not None and action.event.chaincode_name != name:
        raise TransactionInvalid(
            ValidationCode.INVALID_OTHER_REASON,
            f"event of chaincode {action.event.chaincode_name!r} in a transaction of {name!r}",
        )


def check_write_set(name: str, namespaces: tuple[NamespaceReadWriteSet, ...]) -> None:
    """Each namespace once, system namespaces only by the lifecycle, and keys a store can hold."""
    seen: set[str] = set()
    for rwset in namespaces:
        if rwset.namespace in seen:
            raise TransactionInvalid(
                ValidationCode.ILLEGAL_WRITESET, f"namespace {rwset.namespace!r} is listed twice"
            )
        seen.add(rwset.namespace)
        if not rwset.has_writes:
            continue
        by_lifecycle = name == rwset.namespace == LIFECYCLE_NAMESPACE
        if rwset.namespace in SYSTEM_NAMESPACES and not by_lifecycle:
            raise TransactionInvalid(
                ValidationCode.ILLEGAL_WRITESET, f"{name!r} writes to {rwset.namespace!r}"
            )
        if not rwset.namespace or not all(write.key for write in rwset.writes):
            raise TransactionInvalid(
                ValidationCode.INVALID_WRITESET, f"empty name or key in {rwset.namespace!r}"
            )

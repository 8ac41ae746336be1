"""Whether the endorsements of a transaction satisfy every policy that applies to its writes.

Per written key: the key's own policy if it has one, else its collection's, else the chaincode's.
The invoked chaincode's policy always counts when none of its own keys called for one.
"""

from collections.abc import Iterator

from ledger.errors import InvalidMessage, TransactionInvalid
from ledger.model.codes import ValidationCode
from ledger.model.rwset import CollectionReadWriteSet, NamespaceReadWriteSet
from ledger.model.state import (
    VALIDATION_PARAMETER,
    StateKey,
    StateReader,
    hashed_key,
    hashed_namespace,
)
from ledger.model.transaction import EndorserTransaction
from ledger.validation.committed_collections import CommittedCollections
from ledger.validation.context import ChaincodeDefinition, ValidationContext
from ledger.validation.signatures import SignedMessage

_Question = tuple[bool, bytes, tuple[bytes, ...]]


class EndorsementPolicies:
    """Checks the transactions of one block in block order.

    Remembers which keys got a new policy earlier in the block (writes to them must fail, because
    their endorsers could not know it) and answers that came up before: transactions of a block
    mostly share policy and endorsers.
    """

    def __init__(self, state: StateReader, context: ValidationContext) -> None:
        self._state = state
        self._context = context
        self._definitions: dict[str, ChaincodeDefinition] = {}
        self._collections = CommittedCollections(state)
        self._answers: dict[_Question, InvalidMessage | None] = {}
        self._changed_keys: set[StateKey] = set()

    def check(self, transaction: EndorserTransaction, endorsements: list[SignedMessage]) -> None:
        """Raise TransactionInvalid unless every namespace written and the invoked one agree."""
        signers = self._signers(endorsements)
        invoked = NamespaceReadWriteSet(namespace=transaction.chaincode_name)
        required = {invoked.namespace: invoked}
        for rwset in transaction.action.results.namespaces:
            if rwset.has_writes or rwset.namespace in required:
                required[rwset.namespace] = rwset
        for name in sorted(required):
            self._check_namespace(required[name], signers)
        for rwset in required.values():
            self._changed_keys.update(_changed_policies(rwset))

    def _signers(self, endorsements: list[SignedMessage]) -> tuple[bytes, ...]:
        """Distinct endorsers with a good signature; a bad one counts as absent."""
        verify = self._context.signatures.verify
        good = {signed[0]: None for signed in endorsements if verify(*signed)}
        return tuple(good)

    def _check_namespace(self, rwset: NamespaceReadWriteSet, signers: tuple[bytes, ...]) -> None:
        policy = self._definition(rwset.namespace).policy
        keys = [write.key for write in rwset.writes]
        keys += [write.key for write in rwset.metadata_writes]
        self._check_keys(rwset.namespace, keys, policy, signers)
        written = [collection for collection in rwset.collections if collection.has_writes]
        for collection in written:
            self._check_collection(rwset.namespace, collection, policy, signers)
        if not keys and not written:
            self._require(signers, policy)

    def _check_collection(
        self,
        namespace: str,
        written: CollectionReadWriteSet,
        policy: bytes,
        signers: tuple[bytes, ...],
    ) -> None:
        collection = self._collections.find(namespace, written.collection)
        if collection is None:
            raise TransactionInvalid(
                ValidationCode.ENDORSEMENT_POLICY_FAILURE,
                f"{namespace!r} has no collection {written.collection!r}",
            )
        keys = [hashed_key(write.key_hash) for write in written.hashed_writes]
        keys += [hashed_key(write.key_hash) for write in written.hashed_metadata_writes]
        space = hashed_namespace(namespace, written.collection)
        self._check_keys(space, keys, collection.endorsement_policy or policy, signers)

    def _check_keys(
        self, namespace: str, keys: list[str], policy: bytes, signers: tuple[bytes, ...]
    ) -> None:
        """The policy of each key written, `policy` for those without one of their own."""
        has_metadata = self._state.has_metadata(namespace)
        for key in keys:
            if (namespace, key) in self._changed_keys:
                raise TransactionInvalid(
                    ValidationCode.ENDORSEMENT_POLICY_FAILURE,
                    f"the policy of key {key!r} changed earlier in this block",
                )
            own_policy = self._key_policy(namespace, key) if has_metadata else None
            if own_policy is None:
                self._require(signers, policy)
            else:
                self._require(signers, own_policy, of_key=True)

    def _definition(self, namespace: str) -> ChaincodeDefinition:
        definition = self._definitions.get(namespace)
        if definition is None:
            definition = self._context.definition(namespace)
            if definition is None:
                raise TransactionInvalid(
                    ValidationCode.INVALID_CHAINCODE, f"chaincode {namespace!r} is not defined"
                )
            self._definitions[namespace] = definition
        return definition

    def _key_policy(self, namespace: str, key: str) -> bytes | None:
        committed = self._state.get_state(namespace, key)
        if committed is None:
            return None
        return dict(committed.metadata).get(VALIDATION_PARAMETER) or None

    def _require(self, signers: tuple[bytes, ...], policy: bytes, *, of_key: bool = False) -> None:
        question = (of_key, policy, signers)
        if question not in self._answers:
            self._answers[question] = self._evaluate(question)
        refusal = self._answers[question]
        if refusal is not None:
            raise TransactionInvalid(
                ValidationCode.ENDORSEMENT_POLICY_FAILURE, str(refusal)
            ) from refusal

    def _evaluate(self, question: _Question) -> InvalidMessage | None:
        of_key, policy, signers = question
        policies = self._context.policies
        try:
            if of_key:
                policies.require_key_policy(policy, signers)
            else:
                policies.require_application_policy(policy, signers)
        except InvalidMessage as error:
            return error
        return None


def _changed_policies(rwset: NamespaceReadWriteSet) -> Iterator[StateKey]:
    """Public and hashed keys whose metadata a transaction sets."""
    for write in rwset.metadata_writes:
        yield rwset.namespace, write.key
    for collection in rwset.collections:
        space = hashed_namespace(rwset.namespace, collection.collection)
        for hashed in collection.hashed_metadata_writes:
            yield space, hashed_key(hashed.key_hash)

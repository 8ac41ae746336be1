"""Whose policies a simulation calls for: Fabric's rules for ProposalResponse.interest.

Per namespace: keys written under a policy of their own ask for that policy, every other write for
its collection's or the chaincode's, and a namespace that was only read for the chaincode's.
"""

from collections.abc import Collection, Iterator

from ledger.endorsement.system.chaincodes import SYSTEM_CHAINCODES
from ledger.model.interest import CallInterest, Interest
from ledger.model.policy_codec import decode_signature_policy
from ledger.model.rwset import CollectionReadWriteSet, NamespaceReadWriteSet, ReadWriteSet
from ledger.model.state import VALIDATION_PARAMETER, StateReader, hashed_key, hashed_namespace

PrivateReads = Collection[tuple[str, str]]
"""(namespace, collection) of private values that were read; their hashes alone do not count."""


def simulation_interest(
    results: ReadWriteSet, state: StateReader, private_reads: PrivateReads = ()
) -> Interest:
    """The interest of one simulation; `state` is the snapshot it ran on.

    Policies of system chaincodes play no part in planning for others. Raises InvalidMessage when
    the policy of a key written cannot be read: nobody can say who may write it.
    """
    found: list[CallInterest] = []
    for rwset in results.namespaces:
        if rwset.namespace not in SYSTEM_CHAINCODES:
            found += _namespace_interest(rwset, state, private_reads)
    return tuple(found)


def _namespace_interest(
    rwset: NamespaceReadWriteSet, state: StateReader, private_reads: PrivateReads
) -> Iterator[CallInterest]:
    public = _key_policies(state, rwset.namespace, _public_keys(rwset))
    policies = [policy for policy in public if policy]
    needs_chaincode_policy = not rwset.has_writes or None in public
    needs_collection_policy = set()
    for collection in rwset.collections:
        space = hashed_namespace(rwset.namespace, collection.collection)
        private = _key_policies(state, space, _private_keys(collection))
        policies += [policy for policy in private if policy]
        if None in private:
            needs_collection_policy.add(collection.collection)
    if policies or needs_chaincode_policy:
        yield CallInterest(
            name=rwset.namespace,
            key_policies=tuple(dict.fromkeys(policies)),
            disregard_namespace_policy=not needs_chaincode_policy,
        )
    read = {collection for namespace, collection in private_reads if namespace == rwset.namespace}
    for name in sorted(needs_collection_policy | read):
        yield CallInterest(
            name=rwset.namespace, collection_names=(name,), no_private_reads=name not in read
        )


def _public_keys(rwset: NamespaceReadWriteSet) -> list[str]:
    return [w.key for w in rwset.writes] + [w.key for w in rwset.metadata_writes]


def _private_keys(collection: CollectionReadWriteSet) -> list[str]:
    hashes = [w.key_hash for w in collection.hashed_writes]
    hashes += [w.key_hash for w in collection.hashed_metadata_writes]
    return [hashed_key(key_hash) for key_hash in hashes]


def _key_policies(state: StateReader, namespace: str, keys: list[str]) -> set[bytes | None]:
    """The distinct policies of keys; None stands for keys without one."""
    if not keys:
        return set()
    if not state.has_metadata(namespace):
        return {None}
    return {_key_policy(state, namespace, key) for key in keys}


def _key_policy(state: StateReader, namespace: str, key: str) -> bytes | None:
    committed = state.get_state(namespace, key)
    if committed is None:
        return None
    policy = dict(committed.metadata).get(VALIDATION_PARAMETER)
    if not policy:
        return None
    decode_signature_policy(policy)
    return policy

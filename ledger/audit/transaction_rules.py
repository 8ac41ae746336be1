"""The validation code a transaction should have, as far as it stands alone.

The rules are Fabric's, in Fabric's order. What cannot be opened has a code of its own for each
broken part; those codes are not told apart here.
"""

from collections.abc import Collection, Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ledger.audit.members import Members, Person, satisfy_signature_policy
from ledger.audit.private_data import rules_of
from ledger.audit.read_write_sets import ChaincodeSet, NamespaceSet
from ledger.audit.transaction_reading import Action, ReadEntry, SignedBytes
from ledger.audit.wire_fields import BrokenBytes, read_fields
from ledger.audit.world_state import WorldState

VALID = 0
BAD_CREATOR_SIGNATURE = 4
INVALID_ENDORSER_TRANSACTION = 5
BAD_PROPOSAL_TXID = 8
DUPLICATE_TXID = 9
ENDORSEMENT_POLICY_FAILURE = 10
TARGET_CHAIN_NOT_FOUND = 14
ILLEGAL_WRITESET = 23
INVALID_WRITESET = 24
INVALID_CHAINCODE = 25
INVALID_OTHER_REASON = 255

_HALF_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 >> 1
_LIFECYCLE = "_lifecycle"
_SYSTEM_NAMESPACES = frozenset({_LIFECYCLE, "lscc", "cscc", "qscc", "escc", "vscc"})
_LIFECYCLE_POLICY = b"/Channel/Application/LifecycleEndorsement"
_KEY_POLICY = "VALIDATION_PARAMETER"


class BlockRules:
    """Judges the entries of one block in their order, against the state before it."""

    def __init__(
        self, members: Members, before: WorldState, *, channel_id: str, used_ids: Collection[str]
    ) -> None:
        """`used_ids` are those of earlier blocks."""
        self._members = members
        self._before = before
        self._channel_id = channel_id
        self._used_ids = used_ids
        self._changed_policies: set[tuple[str, str]] = set()

    def code_alone(self, entry: ReadEntry) -> int:
        """The code as far as other transactions of the block play no part; VALID if so far."""
        if not self._is_signed(entry.creator_signed):
            return BAD_CREATOR_SIGNATURE
        if entry.tx_id != entry.expected_tx_id:
            return BAD_PROPOSAL_TXID
        action = entry.action
        if action is not None and not action.is_bound:
            return INVALID_ENDORSER_TRANSACTION
        if entry.channel_id != self._channel_id:
            return TARGET_CHAIN_NOT_FOUND
        if entry.tx_id in self._used_ids:
            return DUPLICATE_TXID
        if action is None:
            return VALID
        return _code_of_names(action) or self._code_of_endorsements(action)

    # -- endorsements -----------------------------------------------------------------------------

    def _is_signed(self, signed: SignedBytes) -> bool:
        person = self._members.person(signed.signer)
        return person is not None and is_good_signature(
            person.key, signed.message, signed.signature
        )

    def _signers(self, action: Action) -> list[Person]:
        found = {one.signer: one for one in action.endorsements if self._is_signed(one)}
        people = (self._members.person(signer) for signer in found)
        return [person for person in people if person is not None]

    def _code_of_endorsements(self, action: Action) -> int:
        signers = self._signers(action)
        invoked = action.chaincode_names[0]
        asked = {invoked: ChaincodeSet(NamespaceSet(invoked))}
        for one in action.sets:
            if one.has_writes or one.own.namespace in asked:
                asked[one.own.namespace] = one
        for name in sorted(asked):
            code = self._code_of_namespace(asked[name], signers)
            if code:
                return code
        for one in asked.values():
            for part in (one.own, *(hashed for _, hashed in one.collections)):
                changed = ((part.namespace, key) for key, _ in part.metadata_writes)
                self._changed_policies.update(changed)
        return VALID

    def _code_of_namespace(self, one: ChaincodeSet, signers: list[Person]) -> int:
        namespace = one.own.namespace
        policy = self._chaincode_policy(namespace)
        if policy is None:
            return INVALID_CHAINCODE
        try:
            agreed = all(self._agreements(one, policy, signers))
        except BrokenBytes:
            agreed = False  # a policy that cannot be read is satisfied by nobody
        return VALID if agreed else ENDORSEMENT_POLICY_FAILURE

    def _agreements(
        self, one: ChaincodeSet, policy: bytes, signers: list[Person]
    ) -> Iterator[bool]:
        """One answer for each policy that what it writes calls for."""
        own_keys = _keys_written(one.own)
        yield from self._agreements_of_keys(one.own.namespace, own_keys, policy, signers)
        written = [(name, hashed) for name, hashed in one.collections if hashed.has_writes]
        for name, hashed in written:
            rules = rules_of(self._before, one.own.namespace, name)
            yield rules is not None
            keys = _keys_written(hashed)
            covered = (rules.policy if rules else b"") or policy
            yield from self._agreements_of_keys(hashed.namespace, keys, covered, signers)
        if not own_keys and not written:
            yield self._members.satisfy(policy, signers)

    def _agreements_of_keys(
        self, namespace: str, keys: list[str], policy: bytes, signers: list[Person]
    ) -> Iterator[bool]:
        """The policy of each key, `policy` for those without one of their own."""
        for key in keys:
            yield (namespace, key) not in self._changed_policies
            own_policy = self._key_policy(namespace, key)
            if own_policy:
                yield satisfy_signature_policy(own_policy, signers)
            else:
                yield self._members.satisfy(policy, signers)

    def _key_policy(self, namespace: str, key: str) -> bytes:
        held = self._before.get(namespace, key)
        return b"" if held is None else dict(held.metadata).get(_KEY_POLICY, b"")

    def _chaincode_policy(self, namespace: str) -> bytes | None:
        """protos.ApplicationPolicy bytes of the committed definition; None without one."""
        if namespace == _LIFECYCLE:
            return b"\x12" + bytes((len(_LIFECYCLE_POLICY),)) + _LIFECYCLE_POLICY
        if self._before.get(_LIFECYCLE, f"namespaces/fields/{namespace}/Sequence") is None:
            return None
        return read_fields(self._definition_field(namespace, "ValidationInfo")).content(2)

    def _definition_field(self, namespace: str, name: str) -> bytes:
        held = self._before.get(_LIFECYCLE, f"namespaces/fields/{namespace}/{name}")
        return b"" if held is None else read_fields(held.value or b"").content(2)


def _keys_written(part: NamespaceSet) -> list[str]:
    return [key for key, _ in part.writes] + [key for key, _ in part.metadata_writes]


def _code_of_names(action: Action) -> int:
    in_header, in_proposal, in_result = action.chaincode_names
    if not in_header or in_header != in_proposal or in_header != in_result:
        return INVALID_CHAINCODE
    if not action.chaincode_version:
        return INVALID_CHAINCODE
    if action.event_chaincode not in (None, in_header):
        return INVALID_OTHER_REASON
    return _code_of_writes(in_header, action.sets)


def _code_of_writes(invoked: str, sets: tuple[ChaincodeSet, ...]) -> int:
    seen: set[str] = set()
    for one in sets:
        namespace = one.own.namespace
        if namespace in seen:
            return ILLEGAL_WRITESET
        seen.add(namespace)
        if not one.has_writes:
            continue
        by_lifecycle = invoked == namespace == _LIFECYCLE
        if namespace in _SYSTEM_NAMESPACES and not by_lifecycle:
            return ILLEGAL_WRITESET
        if not namespace or not all(key for key, _ in one.own.writes):
            return INVALID_WRITESET
    return VALID


def is_good_signature(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    """ECDSA over SHA-256 in DER; of the two forms of a signature only the one with low S."""
    try:
        _, s = decode_dss_signature(signature)
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return s <= _HALF_ORDER

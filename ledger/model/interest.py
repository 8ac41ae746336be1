"""What a simulation touched, as far as it decides who endorses (protos.ChaincodeInterest)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallInterest:
    """One chaincode, or one of its collections, that a transaction touched (ChaincodeCall)."""

    name: str
    collection_names: tuple[str, ...] = ()
    no_private_reads: bool = False
    """The collections were only written: peers that are no members can simulate it as well."""
    no_public_writes: bool = False
    key_policies: tuple[bytes, ...] = ()
    """Policies of keys written, common.SignaturePolicyEnvelope bytes each."""
    disregard_namespace_policy: bool = False
    """Every key written has a policy of its own, so the chaincode's does not count."""


Interest = tuple[CallInterest, ...]

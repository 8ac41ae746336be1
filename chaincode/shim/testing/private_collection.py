"""Private data collections of a test, in one line."""

from chaincode.shim.testing.channel import policy_bytes
from ledger.crypto.policy_text import parse_policy
from ledger.model.private_collections import Collection


def collection(
    name: str,
    *mspids: str,
    block_to_live: int = 0,
    member_only_read: bool = True,
    member_only_write: bool = True,
    policy: str = "",
) -> Collection:
    """A collection whose values only these members' peers keep.

    `block_to_live` is in blocks, 0 for ever; `policy` (a policy text) takes the place of the
    chaincode's for writes to it.
    """
    members = ", ".join(f"'{mspid}.member'" for mspid in mspids)
    return Collection(
        name=name,
        member_policy=parse_policy(f"OR({members})"),
        maximum_peer_count=len(mspids),
        block_to_live=block_to_live,
        member_only_read=member_only_read,
        member_only_write=member_only_write,
        endorsement_policy=policy_bytes(policy) if policy else b"",
    )

"""Private data collections as Fabric's tools read them from a file: a list in JSON.

    [{"name": "prices", "policy": "OR('CoopMSP.member', 'DsoMSP.member')",
      "requiredPeerCount": 0, "maxPeerCount": 1, "blockToLive": 100,
      "memberOnlyRead": true, "memberOnlyWrite": true,
      "endorsementPolicy": {"signaturePolicy": "OR('CoopMSP.peer')"}}]

`endorsementPolicy` may name a policy of the channel: {"channelConfigPolicy": "/Channel/..."}.
"""

import json
from typing import Any

from ledger.crypto.policy_text import parse_policy
from ledger.errors import InvalidMessage, Reason
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import encode_application_policy
from ledger.model.private_collections import (
    Collection,
    encode_collections,
    require_alternatives,
    static_collections,
)

COLLECTIONS_TEXT_MAX = 100_000
"""Characters."""
_COUNTS = {
    "requiredPeerCount": "required_peer_count",
    "maxPeerCount": "maximum_peer_count",
    "blockToLive": "block_to_live",
}
_SWITCHES = {"memberOnlyRead": "member_only_read", "memberOnlyWrite": "member_only_write"}
_COUNT_MAX = 2**31 - 1
_FIELDS = frozenset({"name", "policy", "endorsementPolicy", *_COUNTS, *_SWITCHES})


def parse_collections(text: str) -> bytes:
    """protos.CollectionConfigPackage bytes; raises InvalidMessage naming collection and field.

    An empty text is a package without collections.
    """
    if not text:
        return b""
    if len(text) > COLLECTIONS_TEXT_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED, f"collections take at most {COLLECTIONS_TEXT_MAX} characters"
        )
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong("the collections", f"are no JSON: {error}") from error
    if not isinstance(found, list):
        raise _wrong("the collections", "are no list")
    collections = [_collection(f"collection {n + 1}", one) for n, one in enumerate(found)]
    raw = encode_collections(collections)
    require_alternatives(static_collections(raw))
    return raw


def _collection(place: str, raw: Any) -> Collection:
    if not isinstance(raw, dict):
        raise _wrong(place, "is no object")
    unknown = sorted(set(raw) - _FIELDS)
    if unknown:
        raise _wrong(place, f"has the unknown field {unknown[0][:80]!r}")
    counts = {ours: _count(place, raw, theirs) for theirs, ours in _COUNTS.items()}
    switches = {ours: _switch(place, raw, theirs) for theirs, ours in _SWITCHES.items()}
    return Collection(
        name=_text(place, raw, "name"),
        member_policy=parse_policy(_text(place, raw, "policy")),
        required_peer_count=counts["required_peer_count"],
        maximum_peer_count=counts["maximum_peer_count"],
        block_to_live=counts["block_to_live"],
        member_only_read=switches["member_only_read"],
        member_only_write=switches["member_only_write"],
        endorsement_policy=_endorsement_policy(place, raw.get("endorsementPolicy")),
    )


def _endorsement_policy(place: str, raw: Any) -> bytes:
    if raw is None:
        return b""
    field = f"{place}: endorsementPolicy"
    names = {"signaturePolicy", "channelConfigPolicy"}
    if not isinstance(raw, dict) or len(raw) != 1 or not set(raw) <= names:
        raise _wrong(field, "has either a signaturePolicy or a channelConfigPolicy")
    if "signaturePolicy" in raw:
        policy = parse_policy(_text(field, raw, "signaturePolicy"))
        return encode_application_policy(policy)
    return encode_application_policy(PolicyReference(_text(field, raw, "channelConfigPolicy")))


def _text(place: str, raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise _wrong(f"{place}: {name}", "is a text")
    return value


def _count(place: str, raw: dict[str, Any], name: str) -> int:
    value = raw.get(name, 0)
    if type(value) is not int or not 0 <= value <= _COUNT_MAX:
        raise _wrong(f"{place}: {name}", f"is a whole number from 0 to {_COUNT_MAX}")
    return value


def _switch(place: str, raw: dict[str, Any], name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(f"{place}: {name}", "is true or false")
    return value


def _wrong(place: str, what: str) -> InvalidMessage:
    return InvalidMessage(Reason.MALFORMED, f"{place} {what}")

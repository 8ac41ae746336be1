"""Private data as far as the ledger shows it: whose policy covers a collection, what expires.

Values are with the members' peers only; the ledger holds hashes, and a collection's block-to-live
says when they leave the state.
"""

from dataclasses import dataclass

from ledger.audit.read_write_sets import Position, text
from ledger.audit.wire_fields import BrokenBytes, Fields, read_fields
from ledger.audit.wire_writing import message
from ledger.audit.world_state import StateKey, StateValue, WorldState

_IMPLICIT = "_implicit_org_"
_EXPIRY = "$$expiry"
_HASHED_MARK = "$$h"
_NAME_CHARACTERS_MAX = 255
_COLLECTIONS_MAX = 100
_PEERS_MAX = 1_000
_BLOCK_NUMBER_MAX = 2**64 - 1
_NUMBER_DIGITS = 16
_SIGNED_32 = 1 << 31


@dataclass(frozen=True, slots=True)
class Rules:
    """What the ledger has to know of a collection."""

    policy: bytes = b""
    """protos.ApplicationPolicy bytes; empty: the chaincode's."""
    block_to_live: int = 0


def rules_of(state: WorldState, namespace: str, collection: str) -> Rules | None:
    """The rules of a collection of a chaincode, None when it has no such collection."""
    if collection.startswith(_IMPLICIT):
        path = f"/Channel/Application/{collection.removeprefix(_IMPLICIT)}/Endorsement"
        return Rules(message(2, path.encode()))
    held = state.get("_lifecycle", f"namespaces/fields/{namespace}/Collections")
    if held is None:
        return None
    try:
        return _static(read_fields(held.value or b"").content(2)).get(collection)
    except BrokenBytes:
        return None  # members who commit what nobody can read have no collections


def expiries(
    state: WorldState, number: int, changes: dict[StateKey, StateValue]
) -> dict[StateKey, StateValue]:
    """What block `number` changes besides: hashes that expire in it, and what it schedules."""
    found: dict[StateKey, StateValue] = {}
    known: dict[str, Rules | None] = {}
    for (space, key), changed in changes.items():
        namespace, mark, collection = space.partition(_HASHED_MARK)
        if not mark or changed.value is None:
            continue
        if space not in known:
            known[space] = rules_of(state, namespace, collection)
        rules = known[space]
        expires = number + rules.block_to_live + 1 if rules and rules.block_to_live else 0
        if 0 < expires <= _BLOCK_NUMBER_MAX:
            entry = "\0".join((_number(expires), space, key))
            found[_EXPIRY, entry] = StateValue(b"", changed.position)
    for entry in state.keys_between(_EXPIRY, "", _number(number + 1)):
        scheduled = state.get(_EXPIRY, entry)
        assert scheduled is not None, "it was just listed"
        found[_EXPIRY, entry] = StateValue(None, scheduled.position)
        space, _, key = entry[_NUMBER_DIGITS + 1 :].rpartition("\0")
        if (space, key) not in changes and _is_at(state, (space, key), scheduled.position):
            found[space, key] = StateValue(None, scheduled.position)
    return found


def _is_at(state: WorldState, state_key: StateKey, position: Position) -> bool:
    held = state.get(*state_key)
    return held is not None and held.position == position


def _static(package: bytes) -> dict[str, Rules]:
    parts = read_fields(package).contents(1)
    if len(parts) > _COLLECTIONS_MAX:
        raise BrokenBytes("too many collections")
    found: dict[str, Rules] = {}
    for part in parts:
        config = read_fields(part).message(1)
        name = text(config.content(1))
        if name in found or not 0 < len(name) <= _NAME_CHARACTERS_MAX:
            raise BrokenBytes("a collection without a name of its own")
        if name.startswith(_IMPLICIT) or not _has_members(config) or not _counts_fit(config):
            raise BrokenBytes("a collection that no peer would take")
        policy = b"".join(config.contents(8))
        found[name] = Rules(policy, config.number(5))
    return found


def _has_members(config: Fields) -> bool:
    return config.message(2).has(1) and config.message(2, 1).has(2)


def _counts_fit(config: Fields) -> bool:
    required, maximum = config.number(3, bits=32), config.number(4, bits=32)
    return required <= maximum <= _PEERS_MAX < _SIGNED_32


def _number(block_number: int) -> str:
    return f"{block_number:0{_NUMBER_DIGITS}x}"

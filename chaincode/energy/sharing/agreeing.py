"""Agreeing on sharing keys: each version has its date, and none is changed or made retroactive."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import bad
from chaincode.energy.community import STAFF, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.sharing.records import KeyKind, SharingHistory, SharingKey
from chaincode.energy.sight import Sight, sight_of
from chaincode.energy.world import World

PARTS = 1_000_000
MEMBERS_OF_KEY_MAX = 5_000
RANK_MAX = 1_000
VERSIONS_MAX = 1_000
SLOT_MINUTES = (15, 60)
_MINUTE_MS = 60_000
_AGREEING = frozenset({Role.COMMUNITY_MANAGER})
_MEMBERS = frozenset({"kind", "slot_minutes", "effective_from_ms", "parts", "ranks"})


async def agree(world: World, parameters: dict[str, Any]) -> SharingKey:
    """Record the key the community has agreed on, in force from `effective_from_ms`.

    `parameters`: `kind`, `effective_from_ms`, `slot_minutes` (15 or 60), and `parts` of a static
    or `ranks` of a priority key, by IDgrid.
    """
    await world.require_role(_AGREEING)
    given = arguments.checked_object(parameters, "parameters", _MEMBERS)
    kind = KeyKind(arguments.one_of(given.get("kind"), "kind", tuple(KeyKind)))
    slot_minutes = arguments.number_in(given, "slot_minutes", 60)
    if slot_minutes not in SLOT_MINUTES:
        bad("slot_minutes must be 15 or 60")
    history = await _history(world)
    start_ms = _start(given, history, now_ms=world.now_ms, slot_ms=slot_minutes * _MINUTE_MS)
    key = SharingKey(
        version=len(history.starts) + 1,
        kind=kind,
        slot_minutes=slot_minutes,
        effective_from_ms=start_ms,
        agreed_by_mspid=world.caller.mspid,
        agreed_in_tx=world.tx_id,
        parts=_parts(given) if kind is KeyKind.STATIC else _none(given, "parts"),
        ranks=_ranks(given) if kind is KeyKind.PRIORITY else _none(given, "ranks"),
    )
    for idgrid in sorted(key.parts | key.ranks):
        await world.participant(arguments.idgrid(idgrid))
    await world.add(keys.sharing_key(key.version), key, f"sharing key {key.version}")
    await world.put(keys.SHARING_HISTORY, SharingHistory([*history.starts, start_ms]))
    world.announce(
        "SharingKeyAgreed",
        {"version": key.version, "kind": kind, "effective_from_ms": start_ms},
    )
    return key


async def key_at(world: World, time_ms: int) -> SharingKey:
    """The key in force at an instant."""
    version = (await _history(world)).version_at(time_ms)
    if not version:
        raise refused(Refusal.NO_SHARING_KEY, f"at {time_ms}")
    return await get_key(world, version)


async def key_shown_at(world: World, time_ms: int) -> SharingKey:
    """The key in force at an instant, as the caller sees it."""
    return key_as_seen(await key_at(world, time_ms), await sight_of(world))


def key_as_seen(key: SharingKey, sight: Sight) -> SharingKey:
    """A key; of its parts and ranks only those of whom this caller is shown. Pure."""
    return replace(
        key,
        parts={name: part for name, part in key.parts.items() if sight.names(name)},
        ranks={name: rank for name, rank in key.ranks.items() if sight.names(name)},
    )


async def get_key(world: World, version: int) -> SharingKey:
    """One version of the key."""
    key = keys.sharing_key(arguments.positive(version, "version", at_most=VERSIONS_MAX))
    return await world.get(SharingKey, key, Refusal.NO_SHARING_KEY, f"version {version}")


async def all_keys(world: World) -> list[SharingKey]:
    """Every version, oldest first; for staff."""
    await world.require_role(STAFF)
    return [key for _, key in await world.scan(SharingKey, keys.under("sharingkey"))]


async def _history(world: World) -> SharingHistory:
    return await world.find(SharingHistory, keys.SHARING_HISTORY) or SharingHistory([])


def _start(
    given: Mapping[str, object], history: SharingHistory, *, now_ms: int, slot_ms: int
) -> int:
    value = arguments.number_in(given, "effective_from_ms")
    start_ms = arguments.positive(value, "effective_from_ms", at_most=TIME_MS_MAX)
    if start_ms % slot_ms:
        bad("effective_from_ms must be the beginning of a slot")
    if start_ms <= now_ms or (history.starts and start_ms <= history.starts[-1]):
        raise refused(Refusal.KEY_IN_THE_PAST, f"effective_from_ms is {start_ms}")
    if len(history.starts) >= VERSIONS_MAX:
        bad(f"at most {VERSIONS_MAX} versions")
    return start_ms


def _parts(given: Mapping[str, Any]) -> dict[str, int]:
    parts = _by_member(given, "parts", at_most=PARTS)
    if sum(parts.values()) != PARTS:
        bad(f"parts sum to {sum(parts.values())}, not to {PARTS}")
    return parts


def _ranks(given: Mapping[str, Any]) -> dict[str, int]:
    return _by_member(given, "ranks", at_most=RANK_MAX)


def _by_member(given: Mapping[str, Any], what: str, *, at_most: int) -> dict[str, int]:
    members = given.get(what)
    if not isinstance(members, dict) or not 1 <= len(members) <= MEMBERS_OF_KEY_MAX:
        bad(f"{what} must name 1 to {MEMBERS_OF_KEY_MAX} members")
    return {
        arguments.idgrid(idgrid): arguments.not_negative(
            arguments.number_in(members, idgrid), f"{what} of {idgrid}", at_most=at_most
        )
        for idgrid in sorted(members)
    }


def _none(given: Mapping[str, Any], what: str) -> dict[str, int]:
    if given.get(what):
        bad(f"a key of this kind has no {what}")
    return {}

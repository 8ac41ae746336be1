"""The keys that may sign for a participant: devices, an agent, and how a lost one is replaced.

A member's authority could issue any number of certificates with a household's IDgrid, so a
certificate is not enough: the household's record names the keys that act for it (row E015). The
first one is entered by the manager, who met the household; from then on the household adds and
revokes keys itself. A household that has none left is recovered by the manager: the new key
acts only after `RECOVERY_COOL_DOWN_MS`, and until then every old key can undo the recovery.
"""

from dataclasses import asdict, replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.registry.records import (
    AGENT,
    DEVICE,
    AgentLimits,
    Participant,
    Signer,
    Status,
    signer_from,
)
from chaincode.energy.world import World

RECOVERY_COOL_DOWN_MS = 24 * 60 * 60 * 1000
SIGNERS_MAX = 16
"""Keys on record, ended ones included; of the ended ones the oldest make room."""
KINDS = (DEVICE, AGENT)
_LIMITS = frozenset(AgentLimits.__dataclass_fields__)
_MANAGERS = frozenset({Role.COMMUNITY_MANAGER})


async def enrol(world: World, *, idgrid: str, fingerprint: str) -> Participant:
    """The manager enters a participant's first key; it acts at once."""
    await world.require_role(_MANAGERS)
    record = await _present(world, idgrid)
    if record.signers:
        raise refused(Refusal.ALREADY_ENROLLED, idgrid)
    return await _add(world, record, fingerprint, Signer(DEVICE, world.now_ms), "SignerAdded")


async def add(world: World, *, fingerprint: str, kind: str) -> Participant:
    """The participant enters one more key; it acts at once.

    A participant that never named its keys names the one it signs with, too, or would lose it.
    """
    record = await world.caller_is_registered()
    arguments.one_of(kind, "kind", KINDS)
    if not record.signers:
        own = Signer(DEVICE, world.now_ms)
        record = replace(record, signers={world.caller.key_fingerprint: asdict(own)})
    return await _add(world, record, fingerprint, Signer(kind, world.now_ms), "SignerAdded")


async def add_agent(world: World, *, fingerprint: str, limits: object) -> Participant:
    """The participant enters the key of an agent that may order within limits, at once.

    So a household's agent can act on prices while it sleeps, and do no more than was signed.
    """
    record = await world.caller_is_registered()
    if not record.signers:
        own = Signer(DEVICE, world.now_ms)
        record = replace(record, signers={world.caller.key_fingerprint: asdict(own)})
    checked = limits_from(limits)
    if checked.until_ms <= world.now_ms:
        arguments.bad("until_ms is over")
    signer = Signer(AGENT, world.now_ms, limits=checked)
    return await _add(world, record, fingerprint, signer, "SignerAdded")


def limits_from(given: object) -> AgentLimits:
    """Checked limits from their JSON object; every price and amount has the ledger's bounds."""
    members = arguments.checked_object(given, "limits", _LIMITS)
    prices = {"at_most": arguments.PRICE_UTOKEN_PER_KWH_MAX}
    bid, offer = "bid_price_max_utoken_per_kwh", "offer_price_min_utoken_per_kwh"
    lowest = members.get(offer)
    energies = {
        name: arguments.positive(
            arguments.number_in(members, name), name, at_most=arguments.ENERGY_WH_MAX
        )
        for name in ("hour_wh_max", "day_wh_max")
    }
    until_ms = arguments.number_in(members, "until_ms")
    return AgentLimits(
        bid_price_max_utoken_per_kwh=arguments.not_negative(
            arguments.number_in(members, bid), bid, **prices
        ),
        offer_price_min_utoken_per_kwh=None
        if lowest is None
        else arguments.positive(arguments.number_in(members, offer), offer, **prices),
        until_ms=arguments.positive(until_ms, "until_ms", at_most=TIME_MS_MAX),
        **energies,
    )


async def revoke(world: World, *, idgrid: str, fingerprint: str) -> Participant:
    """The participant itself or the manager ends a key at once; a pending recovery is undone.

    What it ordered before stays: it is cleared, delivered and settled.
    """
    if world.caller.role is Role.COMMUNITY_MANAGER:
        await world.require_role(_MANAGERS)
        record = await world.participant(arguments.idgrid(idgrid))
    elif world.own_idgrid() != idgrid:
        raise refused(Refusal.NOT_YOURS, idgrid)
    else:
        record = await world.caller_is_registered()
    ended = record.signer(_checked(fingerprint))
    if ended is None or ended.has_ended(world.now_ms):
        raise refused(Refusal.UNKNOWN_SIGNER, f"{idgrid}, key {fingerprint}")
    signers = dict(record.signers)
    if ended.from_ms > world.now_ms:
        del signers[fingerprint]
        signers = {name: _kept(signer, fingerprint) for name, signer in signers.items()}
    else:
        signers[fingerprint] = asdict(replace(ended, revoked_ms=world.now_ms))
    revoked = replace(record, signers=signers)
    return await _put(world, revoked, "SignerRevoked", fingerprint)


async def recover(world: World, *, idgrid: str, fingerprint: str) -> Participant:
    """The manager, having met the household: a new key that replaces all others after a while."""
    await world.require_role(_MANAGERS)
    record = await _present(world, idgrid)
    known = [signer_from(signer) for signer in record.signers.values()]
    if any(signer.from_ms > world.now_ms and signer.revoked_ms is None for signer in known):
        raise refused(Refusal.RECOVERY_PENDING, idgrid)
    from_ms = world.now_ms + RECOVERY_COOL_DOWN_MS
    ending = {
        name: signer
        if signer["until_ms"] is not None
        else signer | {"until_ms": from_ms, "replaced_by": fingerprint}
        for name, signer in record.signers.items()
    }
    changed = replace(record, signers=ending)
    recovered = Signer(DEVICE, world.now_ms, from_ms=from_ms)
    return await _add(world, changed, fingerprint, recovered, "RecoveryStarted")


def _kept(signer: dict[str, object], recovery: str) -> dict[str, object]:
    """A signer as it was before a recovery that is undone."""
    if signer["replaced_by"] != recovery:
        return signer
    return signer | {"until_ms": None, "replaced_by": ""}


async def _present(world: World, idgrid: str) -> Participant:
    record = await world.participant(arguments.idgrid(idgrid))
    if record.status == Status.EXITED:
        raise refused(Refusal.EXITED, idgrid)
    return record


async def _add(
    world: World, record: Participant, fingerprint: str, signer: Signer, event: str
) -> Participant:
    if _checked(fingerprint) in record.signers:
        raise refused(Refusal.ALREADY_EXISTS, f"key {fingerprint}")
    signers = _with_room(record, world.now_ms) | {fingerprint: asdict(signer)}
    return await _put(world, replace(record, signers=signers), event, fingerprint)


def _with_room(record: Participant, now_ms: int) -> dict[str, dict[str, object]]:
    """The keys on record, without the oldest ended ones if there are too many."""
    signers = dict(record.signers)
    known = {name: signer_from(signer) for name, signer in signers.items()}
    ended = [name for name, signer in known.items() if signer.has_ended(now_ms)]
    for name in sorted(ended, key=lambda name: (known[name].added_ms, name)):
        if len(signers) < SIGNERS_MAX:
            break
        del signers[name]
    if len(signers) >= SIGNERS_MAX:
        raise refused(Refusal.TOO_MANY_SIGNERS, f"{record.idgrid}, at most {SIGNERS_MAX}")
    return signers


def _checked(fingerprint: str) -> str:
    return arguments.salted_hash(fingerprint, "fingerprint")


async def _put(world: World, record: Participant, event: str, fingerprint: str) -> Participant:
    await world.put(keys.participant(record.idgrid), record)
    world.announce(event, {"idgrid": record.idgrid, "key_fingerprint": fingerprint})
    return record

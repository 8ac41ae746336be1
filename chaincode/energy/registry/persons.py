"""Names and e-mail addresses: in the private collection `persons`, never in public state.

What is private comes as transient data: `name`, `email` and `salt` (16 random bytes). A
transaction here writes nothing public, so only the collection's policy applies and no peer of
another member is shown the values. The registry holds the salted hash (002:394, E002, E115).
"""

from dataclasses import asdict, dataclass
from typing import Any

from chaincode.energy import arguments, keys, records
from chaincode.energy.arguments import bad
from chaincode.energy.community import PARTICIPANTS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.registry.person_records import (
    INDEX_KEY_BYTES,
    SALT_BYTES,
    Person,
    checked_email,
    checked_name,
    email_index,
    person_hash,
)
from chaincode.energy.registry.records import Participant, Status
from chaincode.energy.tokens import accounts
from chaincode.energy.world import World

COLLECTION = "persons"
_MANAGERS = frozenset({Role.COMMUNITY_MANAGER})
_ADDRESS_READERS = _MANAGERS | {Role.NOTIFIER}


@dataclass(frozen=True, slots=True)
class PersonHash:
    """The only thing a transaction returns: results are on the ledger."""

    idgrid: str
    personal_data_hash: str


async def set_index_key(world: World) -> None:
    """Keep the secret under which e-mail addresses are indexed (transient `index_key`). Once."""
    await world.require_role(_MANAGERS)
    secret = _transient(world, "index_key")
    if len(secret) != INDEX_KEY_BYTES:
        bad(f"index_key must be {INDEX_KEY_BYTES} random bytes")
    if await world.stub.get_private_data(COLLECTION, keys.PERSON_INDEX):
        raise refused(Refusal.ALREADY_EXISTS, "index_key")
    await world.stub.put_private_data(COLLECTION, keys.PERSON_INDEX, secret)


async def record(world: World, idgrid: str) -> PersonHash:
    """Keep name and e-mail of a participant, before or after its registration.

    An address that is in use is refused. If the IDgrid is registered already, its public hash
    must be the one of this record.
    """
    await world.require_role(_MANAGERS)
    person = _person(world, arguments.idgrid(idgrid))
    if await _find(world, idgrid) is not None:
        raise refused(Refusal.ALREADY_EXISTS, f"person of {idgrid}")
    participant = await world.find(Participant, keys.participant(idgrid))
    if participant is not None and participant.personal_data_hash != person_hash(person):
        raise refused(Refusal.PERSON_MISMATCH, idgrid)
    return await _put(world, person, email_before=None)


async def change(world: World, idgrid: str) -> PersonHash:
    """Put other values in the place of a participant's; those of before are purged.

    The registry follows with `membership:set_personal_data_hash`.
    """
    await world.require_role(_MANAGERS)
    person = _person(world, arguments.idgrid(idgrid))
    before = await _get(world, idgrid)
    return await _put(world, person, email_before=before.email)


async def erase(world: World, idgrid: str) -> None:
    """Purge the personal data of who has left (or never came) from every member's peer."""
    await world.require_role(_MANAGERS)
    participant = await world.find(Participant, keys.participant(arguments.idgrid(idgrid)))
    if participant is not None and participant.status != Status.EXITED:
        raise refused(Refusal.WRONG_STATUS, f"{idgrid} is {participant.status}")
    person = await _get(world, idgrid)
    index = email_index(await _index_key(world), person.email)
    await world.stub.purge_private_data(COLLECTION, keys.person(idgrid))
    await world.stub.purge_private_data(COLLECTION, keys.person_email(index))


async def by_idgrid(world: World, idgrid: str) -> dict[str, Any]:
    """Personal data, registry record and balance; for the manager and the person itself."""
    await _require_allowed(world, arguments.idgrid(idgrid))
    return await _view(world, await _get(world, idgrid))


async def address(world: World, idgrid: str) -> dict[str, str]:
    """`email` alone, for who sends mail to the household."""
    await world.require_role(_ADDRESS_READERS)
    return {"email": (await _get(world, arguments.idgrid(idgrid))).email}


async def by_email(world: World) -> dict[str, Any]:
    """The same by the address in the transient member `email`."""
    idgrid = await _holder(world)
    await _require_allowed(world, idgrid)
    return await _view(world, await _get(world, _somebody(idgrid)))


async def holder(world: World) -> dict[str, str]:
    """`idgrid` alone of the transient `email`, for who may read every address anyway."""
    await world.require_role(_ADDRESS_READERS)
    return {"idgrid": _somebody(await _holder(world))}


async def _holder(world: World) -> str:
    """The IDgrid that uses the transient `email`; empty for an address that nobody uses."""
    email = checked_email(_text(world, "email"))
    index = email_index(await _index_key(world), email)
    return (await world.stub.get_private_data(COLLECTION, keys.person_email(index))).decode()


def _somebody(idgrid: str) -> str:
    if not idgrid:
        raise refused(Refusal.UNKNOWN_PERSON, "no participant uses this e-mail")
    return idgrid


async def _require_allowed(world: World, idgrid: str) -> None:
    """Only the person itself and the manager; others do not learn whether an address is used."""
    if world.caller.role not in PARTICIPANTS:
        await world.require_role(_MANAGERS)
    elif (await world.caller_is_registered()).idgrid != idgrid:
        raise refused(Refusal.NOT_YOURS, "personal data")


async def _view(world: World, person: Person) -> dict[str, Any]:
    participant = await world.find(Participant, keys.participant(person.idgrid))
    view: dict[str, Any] = {
        "idgrid": person.idgrid,
        "name": person.name,
        "email": person.email,
        "personal_data_hash": person_hash(person),
        "participant": None,
        "account": None,
    }
    if participant is not None:
        view["participant"] = asdict(participant)
        view["account"] = asdict(await accounts.account_view(world, person.idgrid))
    return view


async def _put(world: World, person: Person, *, email_before: str | None) -> PersonHash:
    index_key = await _index_key(world)
    if person.email != email_before:
        key = keys.person_email(email_index(index_key, person.email))
        if await world.stub.get_private_data(COLLECTION, key):
            raise refused(Refusal.EMAIL_TAKEN, person.idgrid)
        await world.stub.put_private_data(COLLECTION, key, person.idgrid)
    if email_before is not None and person.email != email_before:
        former = keys.person_email(email_index(index_key, email_before))
        await world.stub.purge_private_data(COLLECTION, former)
    raw = records.encode(person)
    await world.stub.put_private_data(COLLECTION, keys.person(person.idgrid), raw)
    return PersonHash(idgrid=person.idgrid, personal_data_hash=person_hash(person))


async def _index_key(world: World) -> bytes:
    secret = await world.stub.get_private_data(COLLECTION, keys.PERSON_INDEX)
    if not secret:
        raise refused(Refusal.NO_INDEX_KEY, "persons:set_index_key comes first")
    return secret


async def _find(world: World, idgrid: str) -> Person | None:
    raw = await world.stub.get_private_data(COLLECTION, keys.person(idgrid))
    return records.decode(Person, raw) if raw else None


async def _get(world: World, idgrid: str) -> Person:
    found = await _find(world, idgrid)
    if found is None:
        raise refused(Refusal.UNKNOWN_PERSON, idgrid)
    return found


def _person(world: World, idgrid: str) -> Person:
    salt = _transient(world, "salt")
    if len(salt) != SALT_BYTES:
        bad(f"salt must be {SALT_BYTES} random bytes")
    return Person(
        idgrid=idgrid,
        name=checked_name(_text(world, "name")),
        email=checked_email(_text(world, "email")),
        salt_hex=salt.hex(),
    )


def _text(world: World, name: str) -> str:
    try:
        return _transient(world, name).decode("utf-8")
    except UnicodeDecodeError:
        bad(f"{name} is not UTF-8")


def _transient(world: World, name: str) -> bytes:
    value = world.stub.get_transient().get(name)
    if not value:
        bad(f"transient data must have {name}")
    return value

"""Questions to the oracles: asked with an id, answered by k of n, decided once.

    request ──▶ SENT ── k answers agree ──▶ FULFILLED        events RequestSent, Fulfilled
                  └──── time is over ─────▶ EXPIRED ──retry──▶ a new request, attempt + 1

The oracles are members' own processes (docs/oracle.md). Each answers in a transaction of its
own, so the ledger's check of that transaction's signature is the check of the answer's. What is
answered counts by ledger time: a late answer, and any answer after the decision, is refused.
"""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import PARTICIPANTS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import DAY_MS, MINUTE_MS
from chaincode.energy.oracle.agreement import agreed_value
from chaincode.energy.oracle.effects import take_effect
from chaincode.energy.oracle.panel import get_panel
from chaincode.energy.oracle.records import OracleAnswer, OracleRequest, RequestState
from chaincode.energy.oracle.subjects import KINDS, PRICE, TOLERANCE_MAX, require_may_ask
from chaincode.energy.records import decode
from chaincode.energy.sight import sight_of
from chaincode.energy.world import World

REQUEST_LIFETIME_MS = 2 * MINUTE_MS
AT_MOST_AGO_MS = 7 * DAY_MS
"""How far back the instant of a question may lie."""
ATTEMPTS_MAX = 5
ANSWER_MAX = 10**15
OPEN_PER_PAGE_MAX = 200
_OPEN = b"1"
_ANSWERING = frozenset({Role.ORACLE})


async def request(
    world: World, *, kind: str, subject: str, at_ms: int, tolerance: int
) -> OracleRequest:
    """Ask the oracles what `subject` showed at `at_ms` (0: now).

    `kind`: battery_soc (Wh stored), smartmeter (Wh imported in the hour before), price
    (micro-tokens per kWh). For the owner of a device, and for staff.
    """
    arguments.one_of(kind, "kind", KINDS)
    await require_may_ask(world, kind, arguments.identifier(subject, "subject"))
    instant_ms = at_ms or world.now_ms
    if not world.now_ms - AT_MOST_AGO_MS <= instant_ms <= world.now_ms:
        arguments.bad(f"at_ms must be in the last {AT_MOST_AGO_MS} ms")
    panel = await get_panel(world)
    asked = OracleRequest(
        request_id=world.tx_id,
        kind=kind,
        subject=subject,
        at_ms=instant_ms,
        expires_at_ms=world.now_ms + REQUEST_LIFETIME_MS,
        members=panel.members,
        quorum=panel.quorum,
        tolerance=arguments.not_negative(tolerance, "tolerance", at_most=TOLERANCE_MAX[kind]),
        attempt=1,
        first_request_id=world.tx_id,
        requested_by=await _asker(world),
        state=RequestState.SENT,
        value=None,
    )
    await _send(world, asked)
    return asked


async def answer(world: World, *, request_id: str, value: int) -> OracleRequest:
    """Oracle of a member of the panel: what it found; decides once enough of them agree."""
    await world.require_role(_ANSWERING)
    mspid = world.caller.mspid
    asked = await get_request(world, request_id)
    if mspid not in asked.members:
        raise refused(Refusal.NOT_ON_PANEL, mspid)
    _require_waiting(world, asked)
    answers = await _answers(world, asked)
    if mspid in answers:
        raise refused(Refusal.ALREADY_ANSWERED, f"{mspid}, {request_id}")
    given = OracleAnswer(
        request_id=request_id,
        mspid=mspid,
        value=arguments.not_negative(value, "value", at_most=ANSWER_MAX),
        answered_at_ms=world.now_ms,
    )
    await world.put(keys.oracle_answer(request_id, mspid), given)
    answers[mspid] = given.value
    return await _decide(world, asked, answers)


async def expire(world: World, request_id: str) -> OracleRequest:
    """Anyone, once the time is over: nobody waits any longer. A second call changes nothing."""
    asked = await _request(world, request_id)
    if asked.state != RequestState.SENT:
        return await get_request(world, request_id)
    if world.now_ms < asked.expires_at_ms:
        raise refused(Refusal.STILL_WAITING, request_id)
    expired = await _close(world, replace(asked, state=RequestState.EXPIRED))
    world.announce("RequestExpired", {"request_id": request_id, "attempt": asked.attempt})
    return expired


async def retry(world: World, request_id: str) -> OracleRequest:
    """Whoever may ask, once the time is over: put the same question again, with a new id."""
    asked = await _request(world, request_id)
    await require_may_ask(world, asked.kind, asked.subject)
    if asked.state == RequestState.FULFILLED:
        raise refused(Refusal.ALREADY_FULFILLED, request_id)
    if world.now_ms < asked.expires_at_ms:
        raise refused(Refusal.STILL_WAITING, request_id)
    if asked.attempt >= ATTEMPTS_MAX:
        raise refused(Refusal.NO_MORE_RETRIES, f"{ATTEMPTS_MAX} attempts")
    await _close(world, replace(asked, state=RequestState.EXPIRED))
    panel = await get_panel(world)
    again = replace(
        asked,
        request_id=world.tx_id,
        expires_at_ms=world.now_ms + REQUEST_LIFETIME_MS,
        members=panel.members,
        quorum=panel.quorum,
        attempt=asked.attempt + 1,
        requested_by=await _asker(world),
        state=RequestState.SENT,
    )
    await _send(world, again)
    return again


async def open_requests(world: World) -> list[OracleRequest]:
    """Requests the caller's member is asked and has not answered; those to be expired too.

    At most `OPEN_PER_PAGE_MAX` are looked at: oracles answer or expire them and ask again.
    """
    await world.require_role(_ANSWERING)
    mspid = world.caller.mspid
    start, end = keys.under("openrequest")
    ids: list[str] = []
    rows = world.stub.get_state_by_range(start, end)
    async for row in rows:
        ids.append(row.key.removeprefix(start))
        if len(ids) == OPEN_PER_PAGE_MAX:
            await rows.close()
            break
    asked, answered = [
        await world.stub.get_states(wanted)
        for wanted in (
            [keys.oracle_request(request_id) for request_id in ids],
            [keys.oracle_answer(request_id, mspid) for request_id in ids],
        )
    ]
    found = [decode(OracleRequest, raw) for raw in asked]
    return [
        request
        for request, own in zip(found, answered, strict=True)
        if not own and mspid in request.members
    ]


async def get_request(world: World, request_id: str) -> OracleRequest:
    """A request and, once it is decided, its value; of a device for who asked and for staff."""
    asked = await _request(world, request_id)
    if asked.kind != PRICE and not (await sight_of(world)).names(asked.requested_by):
        raise refused(Refusal.NOT_YOURS, request_id)
    return asked


async def _request(world: World, request_id: str) -> OracleRequest:
    key = keys.oracle_request(arguments.identifier(request_id, "request_id"))
    return await world.get(OracleRequest, key, Refusal.UNKNOWN_REQUEST_ID, request_id)


def _require_waiting(world: World, asked: OracleRequest) -> None:
    if asked.state == RequestState.FULFILLED:
        raise refused(Refusal.ALREADY_FULFILLED, asked.request_id)
    if asked.state == RequestState.EXPIRED or world.now_ms >= asked.expires_at_ms:
        raise refused(Refusal.REQUEST_EXPIRED, asked.request_id)


async def _asker(world: World) -> str:
    """The IDgrid of a household; of staff the member."""
    if world.caller.role in PARTICIPANTS:
        return (await world.caller_is_registered()).idgrid
    return world.caller.mspid


async def _answers(world: World, asked: OracleRequest) -> dict[str, int]:
    """Values so far by member.

    Two answers in one block read each other's absence; the second is invalid (MVCC) and its
    oracle sends it again, so a decision never misses an answer.
    """
    raw = await world.stub.get_states(
        [keys.oracle_answer(asked.request_id, member) for member in asked.members]
    )
    return {
        member: decode(OracleAnswer, found).value
        for member, found in zip(asked.members, raw, strict=True)
        if found
    }


async def _decide(world: World, asked: OracleRequest, answers: dict[str, int]) -> OracleRequest:
    value = agreed_value(list(answers.values()), quorum=asked.quorum, tolerance=asked.tolerance)
    if value is None:
        world.announce("AnswerRecorded", {"request_id": asked.request_id, "answers": len(answers)})
        return asked
    decided = await _close(world, replace(asked, state=RequestState.FULFILLED, value=value))
    await take_effect(world, decided, value)
    dissenting = [
        member for member, given in answers.items() if abs(given - value) > asked.tolerance
    ]
    world.announce(
        "Fulfilled",
        {
            "request_id": asked.request_id,
            "kind": asked.kind,
            "subject": asked.subject,
            "at_ms": asked.at_ms,
            "value": value,
            "dissenting": dissenting,
        },
    )
    return decided


async def _close(world: World, decided: OracleRequest) -> OracleRequest:
    """Write a request that takes no more answers."""
    await world.put(keys.oracle_request(decided.request_id), decided)
    await world.delete(keys.open_request(decided.request_id))
    return decided


async def _send(world: World, asked: OracleRequest) -> None:
    await world.put(keys.oracle_request(asked.request_id), asked)
    await world.stub.put_state(keys.open_request(asked.request_id), _OPEN)
    world.announce(
        "RequestSent",
        {
            "request_id": asked.request_id,
            "kind": asked.kind,
            "subject": asked.subject,
            "at_ms": asked.at_ms,
            "expires_at_ms": asked.expires_at_ms,
            "members": asked.members,
            "attempt": asked.attempt,
        },
    )

"""Which events concern whom, and what they are told. Pure; payloads are the contracts' own.

An event with a payload of another form than its contract writes raises `KeyError` or `TypeError`:
contracts and gateway then do not fit together.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gateway.hems.alarms import Alarm
from gateway.notices.records import ALARMS, ALARMS_OVER, Facts, Kind, Notice, Source
from gateway.readmodel.records import EventRecord

Payload = dict[str, Any]
Told = Iterable[tuple[str, Kind, Facts]]
"""(household, kind, facts), at most one per household and kind."""

_MONEY_OF_A_LINE = ("paid_utoken", "received_utoken", "refunded_utoken")


def notices_of(event: EventRecord, everybody: Sequence[str]) -> list[Notice]:
    """What an event tells; `everybody` are the IDgrids that take part in the market now.

    For `STATEMENTS_ISSUED` they are those that have a statement of that run.
    """
    source = Source(event.block_number, event.index)
    return [Notice(idgrid, kind, source, facts) for idgrid, kind, facts in _told(event, everybody)]


def _told(event: EventRecord, everybody: Sequence[str]) -> Told:
    if event.name in _TO_EVERYBODY:
        return _TO_EVERYBODY[event.name](json.loads(event.payload), everybody)
    if event.name in _TO_OWNERS:
        return _TO_OWNERS[event.name](json.loads(event.payload), everybody)
    if event.name in _TO_PARTIES:
        return _TO_PARTIES[event.name](json.loads(event.payload))
    return ()


def notice_of_alarm(
    alarm: Alarm, owners: Mapping[str, str], *, is_over: bool = False
) -> Notice | None:
    """What an alarm, or its end, tells the device's owner (device -> IDgrid); None without one."""
    idgrid = owners.get(alarm.device_id)
    if idgrid is None:
        return None
    facts: Facts = {"device_id": alarm.device_id, "alarm": alarm.kind, "is_over": is_over}
    source = Source(ALARMS_OVER if is_over else ALARMS, alarm.number)
    return Notice(idgrid, Kind.ALARM, source, facts)


def _invitation(payload: Payload, everybody: Sequence[str]) -> Told:
    facts = _some(
        payload, "listing_id", "gate_closure_ms", "floor_utoken_per_kwh", "cap_utoken_per_kwh"
    )
    return [(idgrid, Kind.INVITATION, facts) for idgrid in everybody]


def _buy_call(payload: Payload, everybody: Sequence[str]) -> Told:
    return _call(Kind.BUY_CALL, payload, everybody, caller=payload["buyer_idgrid"])


def _sell_call(payload: Payload, everybody: Sequence[str]) -> Told:
    return _call(Kind.SELL_CALL, payload, everybody, caller=payload["seller_idgrid"])


def _call(kind: Kind, payload: Payload, everybody: Sequence[str], *, caller: str) -> Told:
    facts = _some(payload, "post_id", "energy_wh", "price_utoken")
    return [(idgrid, kind, facts) for idgrid in everybody if idgrid != caller]


def _match(payload: Payload) -> Told:
    """A household's orders of one listing may be matched several times; it is told the sum."""
    sums: dict[tuple[str, str], int] = {}
    for match in payload["matches"]:
        party = match["idgrid"], match["side"]
        sums[party] = sums.get(party, 0) + match["matched_wh"]
    totals = _some(payload, "listing_id", "price_utoken_per_kwh")
    return [
        (
            idgrid,
            Kind.MATCH,
            totals
            | {
                "sold_wh": sums.get((idgrid, "offer"), 0),
                "bought_wh": sums.get((idgrid, "bid"), 0),
            },
        )
        for idgrid in dict.fromkeys(idgrid for idgrid, _ in sums)
    ]


def _deal(payload: Payload) -> Told:
    facts = _some(payload, "post_id", "energy_wh", "price_utoken")
    return [(idgrid, Kind.MATCH, facts) for idgrid in _parties(payload)]


def _settlement(payload: Payload) -> Told:
    return [
        (
            line["idgrid"],
            Kind.SETTLEMENT,
            {
                "listing_id": payload["listing_id"],
                "revision": payload["revision"],
                "energy_wh": line["sold_wh"] + line["bought_wh"],
                **_some(line, *_MONEY_OF_A_LINE),
            },
        )
        for line in payload["lines"]
    ]


def _settled_deal(payload: Payload) -> Told:
    buyer = payload["buyer_idgrid"]
    paid, refunded = payload["paid_utoken"], payload["refunded_utoken"]
    return [
        (
            idgrid,
            Kind.SETTLEMENT,
            {
                "post_id": payload["post_id"],
                "energy_wh": payload["delivered_wh"],
                "paid_utoken": paid if idgrid == buyer else 0,
                "received_utoken": 0 if idgrid == buyer else paid,
                "refunded_utoken": refunded if idgrid == buyer else 0,
            },
        )
        for idgrid in _parties(payload)
    ]


def _refunded_deal(payload: Payload) -> Told:
    """Nothing was proven to have come: the buyer has its money back, the seller gets none."""
    none = {"delivered_wh": 0, "paid_utoken": 0}
    return _settled_deal(payload | none)


def _disputed_deal(payload: Payload) -> Told:
    facts = _some(payload, "post_id", "energy_wh", "refund_from_ms")
    return [(idgrid, Kind.SETTLEMENT, facts) for idgrid in _parties(payload)]


def _key(what: str) -> Callable[[Payload], Told]:
    def told(payload: Payload) -> Told:
        facts = _some(payload, "key_fingerprint") | {"what": what}
        return [(payload["idgrid"], Kind.KEYS, facts)]

    return told


def _statement(payload: Payload, everybody: Sequence[str]) -> Told:
    facts = _some(payload, "month", "run")
    return [(idgrid, Kind.STATEMENT, facts) for idgrid in everybody]


def _stop(payload: Payload, everybody: Sequence[str]) -> Told:
    facts = _some(payload, "listing_id", "reason")
    return [(idgrid, Kind.STOP, facts) for idgrid in everybody]


def _parties(payload: Payload) -> tuple[str, str]:
    return payload["seller_idgrid"], payload["buyer_idgrid"]


def _some(payload: Payload, *names: str) -> dict[str, Any]:
    return {name: payload[name] for name in names}


_TO_EVERYBODY: Mapping[str, Callable[[Payload, Sequence[str]], Told]] = {
    "WindowStarted": _invitation,
    "RequestPosted": _buy_call,
    "OfferPosted": _sell_call,
    "EmergencyStop": _stop,
}
STATEMENTS_ISSUED = "StatementsIssued"
_TO_OWNERS: Mapping[str, Callable[[Payload, Sequence[str]], Told]] = {
    STATEMENTS_ISSUED: _statement,
}
"""To those who have a statement of the run."""
_TO_PARTIES: Mapping[str, Callable[[Payload], Told]] = {
    "MatchResult": _match,
    "OfferPurchased": _deal,
    "RequestSold": _deal,
    "SettlementState": _settlement,
    "SettlementCorrected": _settlement,
    "DealSettled": _settled_deal,
    "DealRefunded": _refunded_deal,
    "DealDisputed": _disputed_deal,
    "SignerAdded": _key("added"),
    "SignerRevoked": _key("revoked"),
    "RecoveryStarted": _key("recovery"),
}
EVENTS_TOLD = (*_TO_EVERYBODY, *_TO_OWNERS, *_TO_PARTIES)
"""Names of the events that tell somebody something."""

"""What the oracle keeps in the world state.

Cumulative registers and stored energy in Wh, prices in micro-tokens per kWh, time in ms UTC.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class MeterReading:
    """Cumulative registers of one meter at the end of a period, as accepted."""

    meter_id: str
    seq: int
    t_end_ms: int
    import_wh: int
    export_wh: int
    quality: str
    signature: str


class RequestState(StrEnum):
    """Life of an oracle request."""

    SENT = "SENT"
    FULFILLED = "FULFILLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Panel:
    """The members whose oracles are asked, and how many of them must agree (k of n)."""

    members: list[str]
    quorum: int
    is_development: bool


@dataclass(frozen=True, slots=True)
class OracleRequest:
    """One question, with the panel it was put to.

    `at_ms` is the instant the answer is about, so that honest oracles give the same number;
    `tolerance` the largest difference between answers that still agree, in the answer's unit
    (Wh, or micro-tokens per kWh). `attempt` counts repetitions of `first_request_id` from 1.
    """

    request_id: str
    kind: str
    subject: str
    at_ms: int
    expires_at_ms: int
    members: list[str]
    quorum: int
    tolerance: int
    attempt: int
    first_request_id: str
    requested_by: str
    state: str
    value: int | None


@dataclass(frozen=True, slots=True)
class OracleAnswer:
    """What one member's oracle answered; the transaction that carries it is its signature."""

    request_id: str
    mspid: str
    value: int
    answered_at_ms: int


@dataclass(frozen=True, slots=True)
class Charge:
    """State of charge of one battery as the oracles agreed on it."""

    battery_id: str
    stored_wh: int
    observed_at_ms: int
    request_id: str


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A price of a series from `effective_from_ms` on, to be trusted until `valid_until_ms`.

    `request_id` names the oracle request it came from, None if a person published it.
    """

    series: str
    effective_from_ms: int
    price_utoken_per_kwh: int
    valid_until_ms: int
    published_by: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """From when on each of the newest prices of a series takes effect, in order of time."""

    series: str
    starts: list[int]

"""A battery's state of charge covers an offer, counts what is promised, and ages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.errors import Refused
from chaincode.energy.oracle.charge import CHARGE_VALID_MS, require_stored, stored_wh
from chaincode.energy.oracle.records import Charge
from chaincode.energy.records import encode

OBSERVED_MS = 1_000_000


def raw(stored: int) -> bytes:
    return encode(Charge("battery-1", stored, OBSERVED_MS, "request-1"))


def require(stored: int, *, offered: int, promised: int = 0, age_ms: int = 0) -> None:
    require_stored(
        raw(stored),
        battery_id="battery-1",
        offered_wh=offered,
        promised_wh=promised,
        now_ms=OBSERVED_MS + age_ms,
    )


@given(
    stored=st.integers(0, 20_000), offered=st.integers(1, 20_000), promised=st.integers(0, 20_000)
)
def test_an_offer_is_covered_exactly_when_the_battery_holds_it_and_the_promises(
    stored: int, offered: int, promised: int
) -> None:
    if offered + promised <= stored:
        require(stored, offered=offered, promised=promised)
    else:
        with pytest.raises(Refused, match="insufficient energy"):
            require(stored, offered=offered, promised=promised)


def test_a_state_of_charge_ages() -> None:
    require(10_000, offered=10_000, age_ms=CHARGE_VALID_MS)
    with pytest.raises(Refused, match="CHARGE_STALE"):
        require(10_000, offered=1, age_ms=CHARGE_VALID_MS + 1)


def test_without_a_record_nothing_is_known() -> None:
    with pytest.raises(Refused, match="CHARGE_UNKNOWN"):
        stored_wh(b"", battery_id="battery-1", now_ms=OBSERVED_MS)

"""The test ledger as the scenarios' stage: attempts that must fail, and devices that report."""

from collections.abc import Mapping
from typing import Any

from chaincode.shim import ContractError
from chaincode.shim.testing import Event, TestClient
from tests.scenarios.market.narration import Differs, Story
from tests.unit.energy.community import HASH, Community, Household
from tests.unit.energy.oracle.panel import name_panel

GWEI = 10**9
"""One wei is the smallest unit of these runs, so a price in gwei per kWh has nine zeros more."""


def attempt(story: Story, code: str, client: TestClient, function: str, *args: Any) -> None:
    """Submit what must be refused with `code`, and check that nothing was written."""
    height = client.ledger.height
    try:
        client.submit(function, *args)
    except ContractError as refusal:
        if refusal.code != code:
            raise Differs(f"{function} was refused with {refusal.code}, not {code}") from refusal
        if client.ledger.height != height:
            raise Differs(f"{function} was refused, yet a block was written") from refusal
        story.refused(code, refusal.message)
        return
    raise Differs(f"{function} was accepted; {code} was due")


def last_event(community: Community, name: str) -> Event:
    """The newest committed event, which must have this name."""
    event = community.ledger.events[-1]
    if event.name != name:
        raise Differs(f"the last event is {event.name}, not {name}")
    return event


def grant(home: Household) -> None:
    """Consent, and access to the meter for the trading contract."""
    home.client.submit("membership:consent", HASH)
    home.client.submit("access:grant", "market", home.meter_id)


def add_battery(community: Community, home: Household, battery_id: str) -> None:
    """A battery as a source of its own, with the device that tells its charge."""
    point = home.meter.public_key.hex()
    home.client.submit("registry:register_res", battery_id, home.idgrid, "battery", 5_000)
    community.dso.submit("registry:approve_res", battery_id)
    community.dso.submit("registry:register_meter", battery_id, home.idgrid, point, battery_id)
    community.dso.submit("registry:approve_meter", battery_id)


def found_with_oracles(**options: Any) -> tuple[Community, dict[str, TestClient]]:
    """A community, and the oracle of each of its three members; two must agree."""
    community = Community.found(**options)
    return community, name_panel(community)


def observe_charge(
    home: Household, battery_id: str, answers: Mapping[TestClient, int]
) -> dict[str, Any]:
    """The household asks for its battery's charge; oracles answer until they agree."""
    asked = home.client.submit("oracle:request", "battery_soc", battery_id)
    decided: dict[str, Any] = asked
    for oracle, stored_wh in answers.items():
        decided = oracle.submit("oracle:answer", asked["request_id"], stored_wh)
        if decided["state"] == "FULFILLED":
            break
    return decided

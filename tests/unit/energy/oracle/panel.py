"""A community whose three members each run an oracle."""

from datetime import timedelta
from typing import Any

from chaincode.shim.testing import TestClient
from tests.unit.energy.community import COOP, DSO, UTILITY, Community, Household

MEMBERS = [COOP, DSO, UTILITY]
REQUEST, ANSWER, RETRY, EXPIRE = (
    "oracle:request",
    "oracle:answer",
    "oracle:retry",
    "oracle:expire",
)


def name_panel(community: Community, *, quorum: int = 2) -> dict[str, TestClient]:
    """Two of three decide; returns the oracle of every member."""
    community.manager.submit("oracle:name_panel", MEMBERS, quorum)
    return {
        mspid: community.ledger.client(mspid, "oracle-node", attributes={"role": "oracle"})
        for mspid in MEMBERS
    }


def ask(community: Community, home: Household, kind: str, subject: str) -> dict[str, Any]:
    """The household asks about its own device as of now."""
    asked: dict[str, Any] = home.client.submit(REQUEST, kind, subject)
    return asked


def pass_time(community: Community, milliseconds: int) -> None:
    """Let the ledger's clock run."""
    community.ledger.at(community.ledger.now + timedelta(milliseconds=milliseconds))


def with_battery(community: Community, home: Household) -> str:
    """Give the household an approved battery; returns its RESid."""
    number = community.households.index(home)
    res_id = f"battery-{number}"
    home.client.submit("registry:register_res", res_id, home.idgrid, "battery", 5000)
    community.dso.submit("registry:approve_res", res_id)
    return res_id


def agree(oracles: dict[str, TestClient], request_id: str, value: int) -> None:
    """Two oracles give the same answer."""
    for mspid in (COOP, DSO):
        oracles[mspid].submit(ANSWER, request_id, value)

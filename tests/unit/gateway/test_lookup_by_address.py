"""A participant found by e-mail through the gateway: for the manager, and for nobody else."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from gateway.application import create_app
from gateway.identity.scopes import Role
from gateway.identity.sessions import Viewer
from gateway.notices.addresses import PrivateAddresses
from tests.unit.energy.community import Community, Household
from tests.unit.energy.registry.test_persons import EMAIL, registered
from tests.unit.gateway.hems import bearer, hems_of
from tests.unit.gateway.ledger_double import CHAINCODE, an_identity
from tests.unit.gateway.notices.told_street import PersonsOnLedger

PATH = "/v1/participants"


def with_a_person() -> tuple[Community, Household]:
    community = Community.found()
    community.join()
    community.manager.submit("persons:set_index_key", transient={"index_key": b"k" * 32})
    return community, registered(community)


@pytest.mark.row("E002")
def test_the_manager_finds_a_participant_by_idgrid_and_by_e_mail_and_others_learn_nothing():
    community, home = with_a_person()
    (other,) = community.households

    async def play() -> None:
        async with hems_of(community) as hems:
            ledger = PersonsOnLedger(community)
            addresses = PrivateAddresses(ledger, CHAINCODE, an_identity())
            services = replace(hems.services, addresses=addresses)
            services.sessions.admit("manager", Viewer("", is_manager=True))
            services.sessions.admit("auditor", Viewer("", staff_role=Role.AUDITOR))

            services.sessions.admit(home.idgrid, Viewer(home.idgrid))
            usual = create_app(services)

            async def ask(path: str, who: str, app: FastAPI = usual) -> httpx.Response:
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
                    return await client.get(path, headers=bearer(who) if who else {})

            by_idgrid = (await ask(f"{PATH}/{home.idgrid}", "manager")).json()
            for email in (EMAIL, EMAIL.upper()):
                found = (await ask(f"{PATH}?email={email}", "manager")).json()
                assert found["items"] == [by_idgrid]
                assert EMAIL not in str(found)
            nobody = (await ask(f"{PATH}?email=nobody@example.org", "manager")).json()
            assert nobody["items"] == []
            assert (await ask(f"{PATH}?email=nonsense", "manager")).status_code == 422
            for who, status in (
                ("", 401),
                ("auditor", 403),
                (home.idgrid, 403),
                (other.idgrid, 403),
            ):
                for email in (EMAIL, "nobody@example.org"):
                    refused = await ask(f"{PATH}?email={email}", who)
                    assert refused.status_code == status, refused.text
                    assert home.idgrid not in refused.text
            without = create_app(replace(services, addresses=None))
            assert (await ask(f"{PATH}?email={EMAIL}", "manager", without)).status_code == 404

    asyncio.run(play())


def test_whose_an_address_is_learns_who_may_read_addresses_anyway() -> None:
    community, home = with_a_person()
    email = {"email": EMAIL.encode()}
    (other,) = community.households
    assert community.manager.evaluate("persons:holder", transient=email) == {"idgrid": home.idgrid}
    for stranger in (home.client, other.client, community.dso):
        with pytest.raises(Exception, match="ROLE_NOT_ALLOWED"):
            stranger.evaluate("persons:holder", transient=email)

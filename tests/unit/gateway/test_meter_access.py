"""Readings over HTTP: the owner's, of whom it lets read them, and of nobody else."""

import asyncio

import pytest

from gateway.identity.sessions import Viewer
from tests.unit.energy.community import Community, milliseconds
from tests.unit.gateway.hems import bearer, client_of, hems_of

MANAGER_TOKEN = "the-manager"


@pytest.mark.row("E012")
def test_a_reading_is_shown_to_its_owner_and_whom_it_lets_read_it() -> None:
    community = Community.found(start="2026-01-15T10:00:00Z")
    owner, neighbour = community.join(), community.join()

    async def play() -> None:
        async with hems_of(community) as hems, client_of(hems) as client:
            hems.services.sessions.admit(MANAGER_TOKEN, Viewer("", is_manager=True))
            await hems.read(owner, milliseconds(community.ledger.now), load_wh=450)
            path = f"/v1/meters/{owner.meter_id}/reading"
            own = await client.get(path, headers=bearer(owner.idgrid))
            assert own.json()["import_wh"] == 450
            others = {neighbour.idgrid: neighbour.idgrid, "community_manager": MANAGER_TOKEN}
            for grantee, token in others.items():
                refused = await client.get(path, headers=bearer(token))
                assert refused.status_code == 403
                assert refused.json()["code"] == "NO_DATA_ACCESS"
                owner.client.submit("access:grant", grantee, owner.meter_id)
                await hems.catch_up()
                shown = await client.get(path, headers=bearer(token))
                assert shown.json() == own.json()
                owner.client.submit("access:revoke", grantee, owner.meter_id)
                await hems.catch_up()
                assert (await client.get(path, headers=bearer(token))).status_code == 403

    asyncio.run(play())

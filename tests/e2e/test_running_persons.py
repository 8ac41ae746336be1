"""Names and e-mail addresses on the running system, over HTTP."""

import json
import secrets

import pytest

from chaincode.energy.registry.person_records import SALT_BYTES
from ledger.client.blocks import follow_blocks
from ledger.client.proposals import new_proposal
from network.plan import load_plan
from network.running.clients import admin_identity, channel_to
from tests.e2e.scene import Scene, asked, in_base64, play

pytestmark = pytest.mark.slow


async def raw_blocks(it: Scene) -> bytes:
    """Every entry and all metadata of every block so far, as a peer delivers them."""
    layout = it.demo.layout
    peer = load_plan(it.demo.folder / "network.toml").peer("utility")
    channel, identity = channel_to(peer.address, layout), admin_identity(peer, layout)
    channel_id, newest = it.demo.settings.ledger.channel_id, await it.height() - 1
    found = [
        part
        async for block in follow_blocks(channel, identity, channel_id, 0, newest)
        for part in (*block.entries, *block.metadata)
    ]
    await channel.close()
    return b"".join(found)


async def others_learn_nothing(it: Scene, by_email: dict[str, str]) -> None:
    """Nobody, the household of the address and an auditor ask for it, and for one of nobody."""
    manager, owner = await it.manager_session(), await it.household_session()
    wish = {"label": "books", "scopes": ["community:read"], "role": "auditor"}
    made = await it.http.post("/v1/tokens", json=wish, headers=manager)
    auditor = {"Authorization": f"Bearer {made.raise_for_status().json()['token']}"}
    assert (await it.http.get("/v1/participants", headers=auditor)).status_code == 200
    for headers, status in (({}, 401), (owner, 403), (auditor, 403)):
        answers = [
            await it.http.get("/v1/participants", params=asked_for, headers=headers)
            for asked_for in (by_email, {"email": "nobody@example.org"})
        ]
        assert [answer.status_code for answer in answers] == [status, status]
        same = {answer.json()["detail"] for answer in answers}
        assert len(same) == 1, "the answer tells nobody whether there is such an address"
    unknown = {"email": "nobody@example.org"}
    found = await it.http.get("/v1/participants", params=unknown, headers=manager)
    assert found.json()["items"] == []


@pytest.mark.row("E002")
def test_a_participant_is_found_by_idgrid_and_by_e_mail_and_an_address_is_given_once(demo):
    async def scene(it: Scene) -> None:
        idgrid, manager = it.idgrid(0), it.demo.settings.staff["community_manager"].load()
        person = (await asked(it, manager, "persons:get", [idgrid])).raise_for_status()
        known = person.json()["content"]
        assert known["name"]
        assert known["participant"]["idgrid"] == idgrid
        headers = await it.manager_session()
        record = (await it.http.get(f"/v1/participants/{idgrid}", headers=headers)).json()
        by_email = {"email": known["email"]}
        found = await it.http.get("/v1/participants", params=by_email, headers=headers)
        assert found.raise_for_status().json()["items"] == [record]
        assert record["balance_utoken"] == known["account"]["free_utoken"]
        await others_learn_nothing(it, by_email)

        latest = await it.latest("persons:record")
        other = (await it.on_every_peer("registry:complete_idgrid", "FON-0201"))[0].decode()
        ledger = it.demo.settings.ledger
        again = new_proposal(
            channel_id=ledger.channel_id,
            creator=manager.serialized,
            chaincode=ledger.chaincode,
            function="persons:record",
            args=[other],
            transient={
                "name": b"Somebody Else",
                "email": known["email"].upper().encode(),
                "salt": secrets.token_bytes(SALT_BYTES),
            },
        )
        body = {
            "proposal": in_base64(again.raw),
            "signature": in_base64(manager.sign(again.raw)),
        }
        refused = await it.http.post("/v1/transactions/endorse", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "EMAIL_TAKEN")
        assert await it.latest("persons:record") == latest
        seen = await it.http.get(f"/v1/transactions/{latest[0]}", headers=headers)
        blocks = await raw_blocks(it)
        assert idgrid.encode() in blocks
        for public in (json.dumps(record).encode(), seen.content, blocks):
            assert known["email"].encode() not in public
            assert known["name"].encode() not in public

    play(demo, scene)

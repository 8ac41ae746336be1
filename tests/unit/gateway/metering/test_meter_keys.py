"""Keys of the ledger's meters are asked for once a block at most, and never stale after one."""

import asyncio

from sqlalchemy import event

from gateway.hems.meter_keys import LedgerMeterKeys
from tests.unit.energy.community import DSO, Community, make_identity
from tests.unit.gateway.hems import Hems, hems_of


def questions_of(hems: Hems) -> list[str]:
    asked: list[str] = []

    @event.listens_for(hems.services.readmodel.database.engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_others):
        asked.append(statement)

    return asked


def test_a_thousand_readings_ask_the_database_about_their_meter_once():
    community = Community.found()
    home = community.join()

    async def play() -> None:
        async with hems_of(community) as hems:
            keys = LedgerMeterKeys(hems.services.community, hems.services.blocks)
            asked = questions_of(hems)
            for _ in range(1_000):
                assert keys.public_key(home.meter_id) is not None
                assert keys.public_key("nobodys") is None
            at_first = sum("world_state" in one for one in asked)
            assert at_first == 3, "when meters changed, this one, and the unknown one"
            await hems.catch_up()
            del asked[:]
            assert keys.public_key(home.meter_id) is not None
            assert sum("world_state" in one for one in asked) <= 2, "once a block"

    asyncio.run(play())


def test_a_block_that_changes_a_meter_is_heeded_at_once():
    community = Community.found()
    home = community.join()

    async def play() -> None:
        async with hems_of(community) as hems:
            keys = LedgerMeterKeys(hems.services.community, hems.services.blocks)
            before = keys.public_key(home.meter_id)
            renewed = make_identity(DSO, "renewed", {}, "client")
            community.dso.submit("devices:replace_key", home.meter_id, renewed.public_key.hex())
            newcomer = f"meter-{len(community.households)}"
            assert keys.public_key(newcomer) is None
            community.join()
            await hems.catch_up()
            after = keys.public_key(home.meter_id)
            assert after is not None
            assert before is not None
            assert after.public_numbers() != before.public_numbers()
            assert keys.public_key(newcomer) is not None

    asyncio.run(play())

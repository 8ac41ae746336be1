"""Supervision of a chaincode whose lives end as a test wants."""

import asyncio

import pytest

from ledger.endorsement.limits import RuntimeLimits
from ledger.endorsement.runtimes.chaincode_life import ChaincodeLife, Ending
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.endorsement.runtimes.supervision import SupervisedRuntime
from ledger.errors import NodeFault
from tests.support.endorsing_world import EndorsingWorld
from tests.support.ledger_world import CHAINCODE

pytestmark = pytest.mark.anyio


class ToldLife(ChaincodeLife):
    """Ends as told."""

    def __init__(self, parts, endings):
        super().__init__("market:1.0", parts)
        self._endings = endings

    async def run(self):
        ending = await self._endings.get()
        if isinstance(ending, Exception):
            raise ending
        return ending

    def _send(self, message):
        """To nobody."""


class Scene:
    def __init__(self, **limits):
        self.world = EndorsingWorld()
        self.endings = asyncio.Queue()
        self.lives = 0
        self.runtime = SupervisedRuntime(
            CHAINCODE, self._new_life, RuntimeLimits(**{"restart_backoff_ms": 1, **limits})
        )

    def _new_life(self, parts):
        self.lives += 1
        return ToldLife(parts, self.endings)

    def run(self):
        return asyncio.create_task(self.world.run(self.runtime, "put", "k", "v"))


def ready(tx_id):
    return Ending("chaincode stream terminated", was_ready=True, blamed_tx_id=tx_id)


async def test_a_fault_is_the_peers_to_hear_and_leaves_nobody_waiting():
    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    scene = Scene()
    await scene.runtime.start()
    waiting = scene.run()
    await asyncio.sleep(0)
    fault = NodeFault("the database is damaged")
    scene.endings.put_nowait(fault)
    with pytest.raises(ExecutionFailed, match="chaincode stream terminated"):
        await waiting
    asyncio.get_running_loop().set_exception_handler(None)
    assert [context["exception"] for context in heard] == [fault]
    with pytest.raises(ExecutionFailed, match="is not running"):
        await scene.run()
    await scene.runtime.stop()


async def test_where_nobody_knows_who_it_was_all_fail():
    scene = Scene()
    await scene.runtime.start()
    waiting = [scene.run() for _ in range(3)]
    await asyncio.sleep(0)
    scene.endings.put_nowait(ready(None))
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, ExecutionFailed)
    await scene.runtime.stop()


async def test_the_blameless_try_again_and_not_for_ever():
    scene = Scene(attempts_max=3)
    await scene.runtime.start()
    waiting = scene.run()
    for _ in range(3):
        await asyncio.sleep(0)
        scene.endings.put_nowait(ready("another"))
    with pytest.raises(ExecutionFailed, match="chaincode stream terminated"):
        await waiting
    assert scene.lives == 3
    await scene.runtime.stop()


async def test_a_life_that_was_never_ready_fails_those_who_wait_with_its_reason():
    scene = Scene()
    await scene.runtime.start()
    waiting = scene.run()
    await asyncio.sleep(0)
    scene.endings.put_nowait(Ending("could not launch chaincode x: gone", was_ready=False))
    with pytest.raises(ExecutionFailed, match="could not launch chaincode x: gone"):
        await waiting
    await scene.runtime.stop()

"""The composition root: one validator peer from its configuration file, and how it ends.

Everything is constructed here and nowhere else; the parts know each other by the narrow ports
they ask for.
"""

import asyncio
import gc
import logging
import signal
import sys
from pathlib import Path

from ledger.errors import NodeFault
from ledger.node.assembly import Peer, assemble
from ledger.node.listeners import listen, peer_listeners
from ledger.node.process.clock import steady_ms
from ledger.node.process.faults import FaultSink
from ledger.node.process.native_log import NativeLog, take_over
from ledger.node.settings.config import NodeConfig, load_config

log = logging.getLogger(__name__)

SHUTDOWN_GRACE_S = 1.0
# Worker threads hold the interpreter for whole batches of signature checks; the event loop should
# not wait 5 ms (the default) for its turn.
THREAD_SWITCH_INTERVAL_S = 0.005
# Long-lived objects dominate; collecting the youngest ones less often saves several percent.
GC_YOUNG_OBJECTS_MAX = 50_000


STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def run_peer(config_path: Path) -> str:
    """Run one validator until one of STOP_SIGNALS; its name.

    Raises NodeFault when the validator must stop by itself.
    """
    _tune_interpreter()
    config = load_config(config_path)
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, signals.put_nowait, number)
    native = take_over(config.data_dir, steady_ms)
    peer = await assemble(config)
    try:
        return (await _serve(config, peer, native, signals)).name
    finally:
        await peer.close()
        native.look()


async def _serve(
    config: NodeConfig, peer: Peer, native: NativeLog, signals: asyncio.Queue[signal.Signals]
) -> signal.Signals:
    faults = FaultSink()
    asyncio.get_running_loop().set_exception_handler(faults.on_loop_error)
    servers = [await listen(listener, faults) for listener in peer_listeners(config, peer)]
    running = [
        asyncio.create_task(peer.run_links(), name="links"),
        asyncio.create_task(peer.ordering.run_consensus(), name="consensus"),
        asyncio.create_task(peer.certificates.run(), name="certificates"),
        asyncio.create_task(faults.wait(), name="faults"),
        asyncio.create_task(peer.ordering.disk.run(), name="disk"),
        asyncio.create_task(peer.private.reconciler.run(), name="private data"),
        asyncio.create_task(native.run(), name="native log"),
    ]
    stopping = asyncio.create_task(signals.get(), name="stop")
    log.info(
        "%s (consenter %d) serves clients on %s and validators on %s, height %d",
        config.member,
        config.consenter_id,
        config.listen,
        config.validator_listen,
        peer.base.store.height(),
    )
    try:
        await asyncio.wait([*running, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                raise _cause(task)
        return stopping.result()
    finally:
        stopping.cancel()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, stopping, return_exceptions=True)
        await asyncio.gather(*(server.stop(SHUTDOWN_GRACE_S) for server in servers))


def _cause(task: asyncio.Task[None]) -> BaseException:
    error = task.exception()
    return error if error is not None else NodeFault(f"{task.get_name()} ended by itself")


def _tune_interpreter() -> None:
    sys.setswitchinterval(THREAD_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS_MAX)

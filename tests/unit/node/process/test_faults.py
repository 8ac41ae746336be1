"""A NodeFault anywhere on the event loop stops the node: handlers, streams, callbacks, tasks."""

import asyncio
import gc
import logging

import grpc
import pytest
from grpc import aio

from ledger.errors import NodeFault
from ledger.node.consensus.outbox import Outbox, OutboxHandlers
from ledger.node.process.faults import FaultInterceptor, FaultSink
from ledger.rpc.transport import identity_bytes

pytestmark = pytest.mark.anyio

BYTES = {"request_deserializer": identity_bytes, "response_serializer": identity_bytes}
FAULT = NodeFault("the database is damaged")


async def answer(_request, _context):
    return b"fine"


async def fail(_request, _context):
    raise FAULT


async def broken(_request, _context):
    raise ValueError("a programmer's mistake")


async def stream_then_fail(_request, _context):
    yield b"one"
    raise FAULT


async def exchange_then_fail(requests, context):
    async for request in requests:
        await context.write(request)
    raise FAULT


HANDLERS = {
    "Answer": grpc.unary_unary_rpc_method_handler(answer, **BYTES),
    "Fail": grpc.unary_unary_rpc_method_handler(fail, **BYTES),
    "Broken": grpc.unary_unary_rpc_method_handler(broken, **BYTES),
    "Stream": grpc.unary_stream_rpc_method_handler(stream_then_fail, **BYTES),
    "Exchange": grpc.stream_stream_rpc_method_handler(exchange_then_fail, **BYTES),
}


class Served:
    def __init__(self) -> None:
        self.faults = FaultSink()
        self.server = aio.server(interceptors=[FaultInterceptor(self.faults)])

    async def __aenter__(self):
        handler = grpc.method_handlers_generic_handler("t.Service", HANDLERS)
        self.server.add_generic_rpc_handlers((handler,))
        port = self.server.add_insecure_port("127.0.0.1:0")
        await self.server.start()
        self.channel = aio.insecure_channel(f"127.0.0.1:{port}")
        return self

    async def __aexit__(self, *_):
        await self.channel.close()
        await self.server.stop(None)


async def the_fault(faults: FaultSink) -> NodeFault:
    with pytest.raises(NodeFault) as caught:
        await asyncio.wait_for(faults.wait(), 60)
    return caught.value


async def test_a_call_that_meets_a_fault_is_unavailable_and_stops_the_node():
    async with Served() as served:
        with pytest.raises(aio.AioRpcError) as refused:
            await served.channel.unary_unary("/t.Service/Fail")(b"")
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await the_fault(served.faults) is FAULT


async def test_streams_deliver_what_they_had_before_the_fault():
    async with Served() as served:
        call = served.channel.unary_stream("/t.Service/Stream")(b"")
        assert await call.read() == b"one"
        with pytest.raises(aio.AioRpcError) as refused:
            await call.read()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await the_fault(served.faults) is FAULT


async def test_a_stream_in_both_directions_is_watched_too():
    async def requests():
        yield b"ping"

    async with Served() as served:
        call = served.channel.stream_stream("/t.Service/Exchange")(requests())
        assert await call.read() == b"ping"
        with pytest.raises(aio.AioRpcError):
            await call.read()
        assert await the_fault(served.faults) is FAULT


async def test_other_calls_and_other_errors_change_nothing():
    async with Served() as served:
        for _ in range(2):  # the second comes from the table of watched handlers
            assert await served.channel.unary_unary("/t.Service/Answer")(b"") == b"fine"
        with pytest.raises(aio.AioRpcError) as refused:
            await served.channel.unary_unary("/t.Service/Unknown")(b"")
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(aio.AioRpcError):
            await served.channel.unary_unary("/t.Service/Broken")(b"")
        waiting = asyncio.ensure_future(served.faults.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def test_a_fault_in_a_callback_or_a_forgotten_task_is_found():
    async def work():
        raise FAULT

    def callback():
        raise FAULT

    loop = asyncio.get_running_loop()
    for start in (lambda: loop.call_soon(callback), lambda: loop.create_task(work())):
        faults = FaultSink()
        loop.set_exception_handler(faults.on_loop_error)
        start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
        assert await the_fault(faults) is FAULT
    loop.set_exception_handler(None)


async def test_a_listener_that_fails_does_not_keep_the_others_from_hearing(caplog):
    loop = asyncio.get_running_loop()
    faults, heard = FaultSink(), []
    loop.set_exception_handler(faults.on_loop_error)

    def status(to):
        if to == 2:
            raise ValueError("a listener's mistake")
        if to == 3:
            raise FAULT
        heard.append(to)

    def unused(*_):
        raise AssertionError("not asked for")

    handlers = OutboxHandlers(
        broadcast=unused,
        on_committed=unused,
        on_behind=unused,
        tell_status=status,
        on_rejected=unused,
        on_stuck=unused,
    )
    outbox = Outbox(loop, handlers)
    for to in (1, 2, 3, 4):
        outbox.tell_status(to)
    with caplog.at_level(logging.ERROR):
        outbox.flush()
        assert await the_fault(faults) is FAULT
    assert heard == [1, 4]
    assert "a listener's mistake" in caplog.text
    loop.set_exception_handler(None)

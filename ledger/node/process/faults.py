"""One place for `NodeFault`s that come up outside the consensus thread: the first stops the node.

A damaged database is usually found by a reader: a gRPC handler or a task of the event loop. Its
fault ends the process like one of the consensus thread does, instead of staying in a log.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from grpc import aio

from ledger.errors import NodeFault

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

log = logging.getLogger(__name__)

STOPPING = "this peer has a fault and stops"


class FaultSink:
    """Takes faults from anywhere on the event loop; the composition root waits for the first."""

    def __init__(self) -> None:
        self._first: asyncio.Future[NodeFault] = asyncio.get_running_loop().create_future()

    def report(self, fault: NodeFault) -> None:
        """This node must stop."""
        log.error("fault: %s", fault, exc_info=fault)
        if not self._first.done():
            self._first.set_result(fault)

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """For `loop.set_exception_handler`: errors of callbacks and of tasks nobody waits for."""
        error = context.get("exception")
        if isinstance(error, NodeFault):
            self.report(error)
        else:
            loop.default_exception_handler(context)

    async def wait(self) -> None:
        """Until there is a fault; raises it."""
        raise await asyncio.shield(self._first)


class FaultInterceptor(aio.ServerInterceptor):
    """Reports a handler's `NodeFault` and answers UNAVAILABLE, so that clients go elsewhere."""

    def __init__(self, faults: FaultSink) -> None:
        self._faults = faults
        self._watched: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """See aio.ServerInterceptor."""
        method = handler_call_details.method
        watched = self._watched.get(method)
        if watched is None:
            handler = await continuation(handler_call_details)
            if handler is None:  # no such method; gRPC says so
                return handler
            watched = self._watched[method] = self._watch(handler)
        return watched

    def _watch(self, handler: Handler) -> Handler:
        make, behaviour = _kind_of(handler)
        watch = self._stream if inspect.isasyncgenfunction(behaviour) else self._call
        return make(
            watch(behaviour),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _call(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await behaviour(request, context)
            except NodeFault as fault:
                self._faults.report(fault)
                return await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPING)

        return watched

    def _stream(self, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(
            request: Any, context: aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[Any]:
            try:
                async for response in behaviour(request, context):
                    yield response
            except NodeFault as fault:
                self._faults.report(fault)
                await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPING)

        return watched


def _kind_of(handler: Handler) -> tuple[Callable[..., Any], Any]:
    """What makes such a handler, and its behaviour."""
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler, handler.stream_stream
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler, handler.stream_unary
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.unary_unary_rpc_method_handler, handler.unary_unary

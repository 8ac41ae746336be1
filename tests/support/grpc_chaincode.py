"""The sample contracts behind gRPC, as a service and dialling in, in the test's own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc import aio

from chaincode.shim.chaincode import load_chaincode
from chaincode.shim.session import ChaincodeSession
from ledger.rpc.chaincode_connect import CONNECT_METHOD
from ledger.rpc.transport import identity_bytes
from ledger.wire.protos_pb2 import ChaincodeInput, ChaincodeMessage
from tests.support.endorsing_world import SAMPLE_MODULE

REGISTER_METHOD = "/protos.ChaincodeSupport/Register"


class GrpcChaincode:
    """Speaks on the streams it is given; functions of its own misbehave as streams can."""

    def __init__(self, chaincode_id: str, module: str = SAMPLE_MODULE) -> None:
        self.chaincode_id = chaincode_id
        self._module = module
        self.streams = 0
        self.transactions = 0
        self.keepalives = 0
        self.is_deaf = False

    async def converse(self, stream) -> None:
        """`hang` answers nothing, `leave` ends the stream, `shout` sends too much."""
        self.streams += 1
        session = ChaincodeSession(load_chaincode(self._module), self.chaincode_id, _ignore)
        await stream.write(session.hello())
        while (raw := await stream.read()) is not aio.EOF:
            message = ChaincodeMessage.FromString(raw)
            self.keepalives += message.type == ChaincodeMessage.KEEPALIVE
            self.transactions += message.type == ChaincodeMessage.TRANSACTION
            if self.is_deaf or _function(message) == b"hang":
                continue
            if _function(message) == b"leave":
                return
            if _function(message) == b"shout":
                message.payload = bytes(17 * 1024 * 1024)
                await stream.write(message.SerializeToString())
            for answer in session.receive(raw):
                await stream.write(answer)

    def handlers(self) -> grpc.GenericRpcHandler:
        async def connect(_requests, context):
            await self.converse(context)

        handler = grpc.stream_stream_rpc_method_handler(connect, identity_bytes, identity_bytes)
        _, service, method = CONNECT_METHOD.split("/")
        return grpc.method_handlers_generic_handler(service, {method: handler})

    async def dial(self, channel: aio.Channel) -> None:
        """Register at a peer and serve until the stream ends; AioRpcError if it is refused."""
        call = channel.stream_stream(REGISTER_METHOD, identity_bytes, identity_bytes)()
        await self.converse(call)
        await call.done_writing()
        while await call.read() is not aio.EOF:
            pass


def _ignore(_tx_id: str) -> None:
    """Nobody watches what runs."""


def _function(message: ChaincodeMessage) -> bytes:
    if message.type != ChaincodeMessage.TRANSACTION:
        return b""
    return ChaincodeInput.FromString(message.payload).args[0]


@asynccontextmanager
async def listening(
    *handlers: grpc.GenericRpcHandler,
    address: str = "127.0.0.1:0",
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[str]:
    """A server; gives its host:port."""
    server = aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers(handlers)
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)

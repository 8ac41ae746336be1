"""Committing a definition while the network is still coming up."""

import asyncio
from datetime import UTC, datetime

import grpc
import pytest
from grpc import aio

from ledger.crypto.signing import SigningIdentity
from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.model.codes import ValidationCode
from ledger.wire import gateway_pb2
from network.chaincode.lifecycle_client import ChaincodeRefused, LifecycleClient
from tests.support.identities import CHANNEL_ID, make_consortium

BLOCK = 7


class ComingUp(grpc.GenericRpcHandler):
    """A gateway that is not reachable at first, then takes a transaction and says it did not."""

    def __init__(
        self,
        outcome: ValidationCode = ValidationCode.VALID,
        *,
        has_come_through: bool = False,
    ) -> None:
        self._has_come_through = has_come_through
        self.endorsed: list[str] = []
        self.submitted: list[str] = []
        self._outcome = outcome

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(
            getattr(self, details.method.rpartition("/")[2].lower())
        )

    async def endorse(self, raw, context):
        request = gateway_pb2.EndorseRequest.FromString(raw)
        self.endorsed.append(request.transaction_id)
        if len(self.endorsed) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "too few endorsers")
        response = gateway_pb2.EndorseResponse()
        response.prepared_transaction.payload = b"payload"
        return response.SerializeToString()

    async def submit(self, raw, context):
        self.submitted.append(gateway_pb2.SubmitRequest.FromString(raw).transaction_id)
        if len(self.submitted) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no quorum of receipts in time")
        if self._has_come_through:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "it is in the ledger")
        return b""

    async def commitstatus(self, raw, context):
        return gateway_pb2.CommitStatusResponse(
            result=int(self._outcome), block_number=BLOCK
        ).SerializeToString()


def commit_through(gateway: ComingUp) -> int:
    identity: SigningIdentity = make_consortium(datetime.now(tz=UTC)).members[0].client

    async def act() -> int:
        server = aio.server()
        server.add_generic_rpc_handlers((gateway,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = aio.insecure_channel(f"127.0.0.1:{port}")
        client = LifecycleClient(channel, CHANNEL_ID, identity)
        try:
            definition = FullDefinition(name="energy", sequence=1, version="1.0")
            return await client.commit(definition)
        finally:
            await client.close()
            await server.stop(None)

    return asyncio.run(act())


@pytest.mark.parametrize("has_come_through", [False, True])
def test_a_submission_without_answer_is_repeated_with_the_same_transaction(
    *, has_come_through: bool
) -> None:
    gateway = ComingUp(has_come_through=has_come_through)
    assert commit_through(gateway) == BLOCK
    assert len(gateway.endorsed) == 2
    assert gateway.submitted == [gateway.endorsed[1]] * 2


def test_a_definition_that_is_recorded_as_invalid_is_an_error() -> None:
    with pytest.raises(ChaincodeRefused, match="MVCC_READ_CONFLICT in block 7"):
        commit_through(ComingUp(ValidationCode.MVCC_READ_CONFLICT))

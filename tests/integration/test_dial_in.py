"""A peer of a running network whose contract is not its own process: it dials in."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from grpc import aio

from ledger.node.settings.chaincode_streams import STREAM_SETTINGS_FILE
from network.bench.trial_households import CHAINCODE
from network.certificates.authority import KeyPair
from network.certificates.credentials import member_authority
from network.ports import free_port_range
from tests.integration.market_scene import MarketScene
from tests.integration.running_network import RunningNetwork, running_network
from tests.support.grpc_chaincode import GrpcChaincode

pytestmark = pytest.mark.slow

MEMBER = 1


class Desk:
    """The second member lets its contract dial in."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port_range(1)}"
        self.chaincode: GrpcChaincode | None = None
        self.keys: KeyPair | None = None
        self.authority_pem = b""

    def open(self, network: RunningNetwork) -> None:
        """Issue the contract's certificate and write the operator's settings."""
        member_id = network.plan.members[MEMBER].id
        folder = network.layout.member(member_id).root
        authority = member_authority(network.plan, member_id, network.layout)
        self.keys = authority.issue_tls("contract", now=datetime.now(UTC))
        self.authority_pem = authority.tls.certificate_pem
        definition = network.plan.chaincodes[0]
        chaincode_id = f"{definition.name}:{definition.version}"
        self.chaincode = GrpcChaincode(chaincode_id, module=definition.module)
        settings = {
            "listen": self.address,
            "client_ca": "chaincode-ca.pem",
            "allowed": [{"id": chaincode_id, "certificate": "contract.pem"}],
        }
        (folder / "chaincode-ca.pem").write_bytes(self.authority_pem)
        (folder / "contract.pem").write_bytes(self.keys.certificate_pem)
        (folder / STREAM_SETTINGS_FILE).write_text(json.dumps(settings))

    @asynccontextmanager
    async def dialled_in(self):
        credentials = grpc.ssl_channel_credentials(
            self.authority_pem, self.keys.key_pem, self.keys.certificate_pem
        )
        async with aio.secure_channel(self.address, credentials) as channel:
            dialled = asyncio.create_task(self.chaincode.dial(channel))
            yield
            dialled.cancel()
            await asyncio.gather(dialled, return_exceptions=True)


def test_a_contract_that_dials_in_endorses_what_the_others_processes_do(tmp_path: Path) -> None:
    desk = Desk()
    with running_network(tmp_path, before_start=desk.open) as network, asyncio.Runner() as runner:
        market = MarketScene(network, runner)
        market.run(market.open())

        async def trade():
            async with desk.dialled_in():
                home = await market.join()
                asked = market.clients[MEMBER].evaluate_transaction
                raw = await asked(
                    home.identity, CHAINCODE, "registry:get_participant", home.idgrid
                )
                assert json.loads(raw)["idgrid"] == home.idgrid
                assert desk.chaincode.transactions > 0

        market.run(trade())
        market.run(market.close())

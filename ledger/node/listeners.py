"""What a peer listens on: clients, the other validators and, if the operator wants, chaincodes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import grpc
from grpc import aio

from ledger.errors import NodeFault
from ledger.node.assembly import Peer
from ledger.node.process.faults import FaultInterceptor, FaultSink
from ledger.node.settings.config import NodeConfig
from ledger.rpc.transport import (
    CLIENT_MESSAGE_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    TlsMaterial,
    server_credentials,
    server_options,
)


@dataclass(frozen=True, slots=True)
class Listener:
    """One address and what is served there."""

    address: str
    handlers: tuple[grpc.GenericRpcHandler, ...]
    tls: Callable[[], TlsMaterial]
    """Asked at every handshake."""
    require_client: bool
    """Callers show a certificate of the material's authorities."""
    message_bytes_max: int = MESSAGE_BYTES_MAX


def peer_listeners(config: NodeConfig, peer: Peer) -> list[Listener]:
    """All of a peer."""
    credentials = peer.base.credentials
    clients = Listener(
        config.listen,
        peer.client_handlers,
        tls=lambda: credentials.now.client_tls,
        require_client=False,
        message_bytes_max=CLIENT_MESSAGE_BYTES_MAX,
    )
    validators = Listener(
        config.validator_listen,
        peer.validator_handlers,
        tls=lambda: credentials.now.validator_tls,
        require_client=True,
    )
    streams = config.chaincode_streams
    if not streams.listen:
        return [clients, validators]
    chaincodes = Listener(
        streams.listen,
        (peer.contracts.dial_in.service.rpc_handlers(),),
        tls=lambda: replace(credentials.now.client_tls, ca_bundle_pem=streams.client_ca_pem),
        require_client=True,
    )
    return [clients, validators, chaincodes]


async def listen(listener: Listener, faults: FaultSink) -> aio.Server:
    """Begin to serve; NodeFault when the address is taken."""
    server = aio.server(
        options=server_options(message_bytes_max=listener.message_bytes_max),
        interceptors=[FaultInterceptor(faults)],
    )
    server.add_generic_rpc_handlers(listener.handlers)
    credentials = server_credentials(listener.tls, require_client=listener.require_client)
    try:
        server.add_secure_port(listener.address, credentials)
    except RuntimeError as error:
        raise NodeFault(
            f"cannot listen on {listener.address}; `gridledger doctor` says who does"
        ) from error
    await server.start()
    return server

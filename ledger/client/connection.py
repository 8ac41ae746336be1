"""A client's way to a peer: TLS, with Fabric's limits."""

import grpc
from grpc import aio

from ledger.rpc.transport import CLIENT_MESSAGE_BYTES_MAX, channel_options


def client_channel(address: str, ca_pem: bytes) -> aio.Channel:
    """A TLS channel of a client to a peer at `host:port`."""
    credentials = grpc.ssl_channel_credentials(ca_pem)
    options = channel_options(message_bytes_max=CLIENT_MESSAGE_BYTES_MAX)
    return aio.secure_channel(address, credentials, options=options)

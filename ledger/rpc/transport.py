"""TLS credentials, channel options and the raw-bytes serialisers every service shares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import grpc
from grpc import aio

EXCHANGE_METHOD = "/gridledger.Validator/Exchange"
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""Between validators."""
CLIENT_MESSAGE_BYTES_MAX = 100 * 1024 * 1024
"""Between clients and peers, as Fabric; what a call may take is the service's affair."""
CONCURRENT_STREAMS_MAX = 1_000
CLIENT_PING_INTERVAL_MS_MIN = 50_000
"""Fabric clients may ping every 60 s, also when idle; less, because clocks and networks jitter.

gRPC's own floor is 300 s: it would cut them off.
"""
PEER_PING_INTERVAL_MS = 60_000
"""A connection is pinged after so long without a word (Fabric: 2 h), so that a dead client's
streams do not keep their places."""
HANDSHAKE_TIMEOUT_MS = 10_000
"""From a connection to the end of its TLS handshake, on both sides; gRPC's own limit for a server
is two minutes."""
IDLE_CONNECTION_MS = 10 * 60_000
"""A client's connection without a call is closed after this; its next call opens another."""

ChannelOptions = Sequence[tuple[str, int | str]]


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """PEM bytes: own certificate and key, and the authorities whose certificates are accepted."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    ca_bundle_pem: bytes
    server_name: str = ""
    """What the other side is called where that is not its host (`ledger.crypto.pinned_tls`)."""


def identity_bytes(raw: bytes) -> bytes:
    """Serialiser for methods that pass bytes through; decoding happens once, in the codec."""
    return raw


def server_credentials(
    current: Callable[[], TlsMaterial], *, require_client: bool
) -> grpc.ServerCredentials:
    """TLS for a listener; only validators are asked for a certificate of their own.

    `current` is asked at every handshake, in a thread of gRPC's: renewed certificates and changed
    members count without a restart.
    """
    served = current()

    def configuration(tls: TlsMaterial) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(tls.key_pem, tls.certificate_pem)],
            root_certificates=tls.ca_bundle_pem if require_client else None,
        )

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal served
        tls = current()
        if tls == served:
            return None
        served = tls
        return configuration(tls)

    return grpc.dynamic_ssl_server_credentials(
        configuration(served), renewed, require_client_authentication=require_client
    )


def channel_credentials(tls: TlsMaterial) -> grpc.ChannelCredentials:
    """Mutual TLS for a channel to another validator."""
    return grpc.ssl_channel_credentials(tls.ca_bundle_pem, tls.key_pem, tls.certificate_pem)


def server_options(*, message_bytes_max: int = MESSAGE_BYTES_MAX) -> ChannelOptions:
    """Limits of a listener."""
    return (
        ("grpc.max_receive_message_length", message_bytes_max),
        ("grpc.max_send_message_length", message_bytes_max),
        ("grpc.max_concurrent_streams", CONCURRENT_STREAMS_MAX),
        ("grpc.http2.min_ping_interval_without_data_ms", CLIENT_PING_INTERVAL_MS_MIN),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", PEER_PING_INTERVAL_MS),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
        ("grpc.max_connection_idle_ms", IDLE_CONNECTION_MS),
        ("grpc.so_reuseport", 0),
    )


def channel_options(*, message_bytes_max: int = MESSAGE_BYTES_MAX) -> ChannelOptions:
    """Limits of a channel to another node; reconnects quickly on a local network."""
    return (
        ("grpc.max_receive_message_length", message_bytes_max),
        ("grpc.max_send_message_length", message_bytes_max),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        # not a pause: the least time one attempt has, TLS handshake included
        ("grpc.min_reconnect_backoff_ms", HANDSHAKE_TIMEOUT_MS),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    )


def validator_channel(address: str, tls: TlsMaterial) -> aio.Channel:
    """A mutual-TLS channel to another validator at `host:port`."""
    options = list(channel_options())
    if tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return aio.secure_channel(address, channel_credentials(tls), options=options)

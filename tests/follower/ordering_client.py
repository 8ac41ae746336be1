"""What a Fabric peer says to an ordering service, and what its gateway says when it submits."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fabric_protos.common import common_pb2
from fabric_protos.msp import identities_pb2
from fabric_protos.orderer import ab_pb2, ab_pb2_grpc

from tests.follower.certificate_chains import P256_ORDER
from tests.follower.channel_config import ChannelConfig
from tests.follower.refusal import Refused, require

ENDLESS = 2**64 - 1
MESSAGE_BYTES_MAX = 100 * 1024 * 1024
STREAM_TIMEOUT_S = 30
NONCE_BYTES = 24


class Signer:
    """A peer's certificate and key."""

    def __init__(self, mspid: str, certificate: Path, key: Path) -> None:
        identity = identities_pb2.SerializedIdentity(
            mspid=mspid, id_bytes=certificate.read_bytes()
        )
        self.serialized = identity.SerializeToString()
        self._key = load_pem_private_key(key.read_bytes(), password=None)

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256, low S."""
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(SHA256())))
        return encode_dss_signature(r, min(s, P256_ORDER - s))


class OrderingClient:
    """Streams to the endpoints that the channel's configuration names, and to no others."""

    def __init__(self, signer: Signer, config: ChannelConfig) -> None:
        self._signer = signer
        self._config = config

    @property
    def endpoints(self) -> list[str]:
        """All addresses of the ordering organisations."""
        return [address for addresses in self._config.endpoints.values() for address in addresses]

    def blocks(self, endpoint: str, first: int, *, headers: bool = False) -> Iterator:
        """Blocks from `first` to "never stop"; Refused when the service sends a status instead."""
        request = self._seek(first, headers=headers)
        with self._service(endpoint) as service:
            call = service.Deliver(iter([request]), timeout=STREAM_TIMEOUT_S)
            for answer in call:
                kind = answer.WhichOneof("Type")
                require(kind == "block", f"a status where blocks never end: {answer.status}")
                yield answer.block
        raise Refused("the orderer hung up without sending a status")

    def broadcast(self, endpoint: str, envelope: bytes) -> tuple[int, str]:
        """Status and text that one orderer answers to a transaction."""
        with self._service(endpoint) as service:
            request = common_pb2.Envelope.FromString(envelope)
            [answer] = service.Broadcast(iter([request]), timeout=STREAM_TIMEOUT_S)
            return answer.status, answer.info

    @contextmanager
    def _service(self, endpoint: str) -> Iterator[ab_pb2_grpc.AtomicBroadcastStub]:
        [organization] = [
            name for name, addresses in self._config.endpoints.items() if endpoint in addresses
        ]
        roots = b"\n".join(self._config.tls_roots(organization))
        options = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)]
        credentials = grpc.ssl_channel_credentials(roots)
        with grpc.secure_channel(endpoint, credentials, options) as channel:
            yield ab_pb2_grpc.AtomicBroadcastStub(channel)

    def _seek(self, first: int, *, headers: bool) -> common_pb2.Envelope:
        info = ab_pb2.SeekInfo(behavior=ab_pb2.SeekInfo.BLOCK_UNTIL_READY)
        info.start.specified.number = first
        info.stop.specified.number = ENDLESS
        if headers:
            info.content_type = ab_pb2.SeekInfo.HEADER_WITH_SIG
        return self._signed(info.SerializeToString())

    def _signed(self, data: bytes) -> common_pb2.Envelope:
        header = common_pb2.ChannelHeader(
            type=common_pb2.DELIVER_SEEK_INFO, channel_id=self._config.channel_id
        )
        header.timestamp.FromNanoseconds(time.time_ns())
        signature_header = common_pb2.SignatureHeader(
            creator=self._signer.serialized, nonce=secrets.token_bytes(NONCE_BYTES)
        )
        payload = common_pb2.Payload(data=data)
        payload.header.channel_header = header.SerializeToString()
        payload.header.signature_header = signature_header.SerializeToString()
        raw = payload.SerializeToString()
        return common_pb2.Envelope(payload=raw, signature=self._signer.sign(raw))

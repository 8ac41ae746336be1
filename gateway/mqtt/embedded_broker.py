"""An MQTT 3.1.1 broker inside this process, for the demo, tests and small installs.

amqtt does the protocol. What it lets through is closed here (docs/mqtt.md):

* it answers a connecting client with retained messages of *other* clients' subscriptions;
* it drops or takes over a session by client id *before* it has checked the password;
* it retains whatever a client asks it to; here only what `topics.retained_bytes_max` names;
* its password files hash with Argon2 on the event loop, about six connects per second; device
  tokens are 32 random bytes, so one SHA-256 compares them safely;
* ending a connection waits for its reader, which may have missed that it was cancelled.

A site with more than a few dozen meters runs mosquitto; the gateway is only a client of it.
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action, ListenerConfig
from amqtt.errors import AMQTTError
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import OutgoingApplicationMessage, Session

from gateway.mqtt.broker_log import refusal_line, sign_in_line
from gateway.mqtt.topics import BROKER_LOG, Access, retained_bytes_max

logger = logging.getLogger(__name__)

CONNECTIONS_MAX = 256
TOKEN_BYTES = 32
NAME_SHOWN_MAX = 64
"""Characters of a refused client's name that are told."""
HANDLER_STOP_TIMEOUT_S = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credential:
    """One client: SHA-256 of its token, and its topics. The client id must equal the user name."""

    token_sha256: bytes
    access: Access


def new_token() -> str:
    """A fresh device token, 256 bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def credential(token: str, access: Access) -> Credential:
    """What the broker keeps of a token."""
    return Credential(token_sha256=sha256(token.encode()).digest(), access=access)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """PEM files of the broker's certificate and key."""

    certificate_file: Path
    key_file: Path


class EmbeddedBroker:
    """Start and stop the broker; `port` is known after `start` (0 asks for a free one)."""

    def __init__(
        self,
        *,
        credentials: Mapping[str, Credential],
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ServerTls | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._credentials = credentials
        self._tls = tls
        self._broker: _GuardedBroker | None = None

    async def start(self) -> None:
        """Bind and serve; raises `amqtt.errors.BrokerError` when the port is taken."""
        listener: dict[str, object] = {
            "type": "tcp",
            "bind": f"{self.host}:{self.port}",
            "max_connections": CONNECTIONS_MAX,
        }
        if self._tls is not None:
            listener |= {
                "ssl": True,
                "certfile": str(self._tls.certificate_file),
                "keyfile": str(self._tls.key_file),
            }
        config: dict[str, object] = {"listeners": {"default": listener}, "plugins": {}}
        self._broker = _GuardedBroker(config, self._credentials)
        await self._broker.start()
        self.port = self._broker.bound_port()

    async def stop(self) -> None:
        """Close every connection and the listener."""
        if self._broker is not None:
            await self._broker.shutdown()
            self._broker = None


class _PatientHandler(BrokerProtocolHandler):
    """One connection. A receiver that acknowledges late is no fault of this process.

    amqtt waits 5 s for a PUBACK. The gateway sends its own when a batch is on disk, which takes
    longer while it starts; what was given up on has been delivered, and is known to be stored by
    other means (`stored`, docs/mqtt.md).
    """

    async def mqtt_publish(
        self,
        topic: str,
        data: bytes | bytearray,
        qos: int | None,
        retain: bool,  # noqa: FBT001 - amqtt's signature
        ack_timeout: int | None = None,
    ) -> OutgoingApplicationMessage:
        """As amqtt does, but a missing PUBACK is told in one line."""
        try:
            return await super().mqtt_publish(topic, data, qos, retain, ack_timeout)
        except TimeoutError:
            name = self.session.client_id if self.session is not None else "a client"
            logger.info("%s has not acknowledged %s in time", name, topic)
            return OutgoingApplicationMessage(None, topic, qos, data, retain)


class _GuardedBroker(Broker):
    """amqtt's broker with the holes named above closed."""

    def __init__(self, config: dict[str, object], credentials: Mapping[str, Credential]) -> None:
        super().__init__(config, loop=asyncio.get_running_loop())
        self._credentials = credentials

    def bound_port(self) -> int:
        server = self._servers["default"].instance
        assert isinstance(server, asyncio.Server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _initialize_client_session(
        self,
        reader: ReaderAdapter,
        writer: WriterAdapter,
        remote_address: str,
        remote_port: int,
    ) -> tuple[BrokerProtocolHandler, Session]:
        """Check the password first; only its owner may end the previous connection of a client."""
        handler, session = await _PatientHandler.init_from_connect(
            reader, writer, self.plugins_manager
        )
        if not self._knows(session):
            line = refusal_line(
                (session.username or "-")[:NAME_SHOWN_MAX], remote_address, remote_port
            )
            await self.internal_message_broadcast(BROKER_LOG, line, 0)
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            await writer.close()
            raise AMQTTError(f"client {session.client_id!r} from {remote_address} refused")
        # Sessions never outlive their connection: what a client missed while away it asks for.
        session.clean_session = True
        session.parent = 0
        line = sign_in_line(session.client_id or "-", remote_address, remote_port)
        await self.internal_message_broadcast(BROKER_LOG, line, 0)
        previous = self._sessions.get(session.client_id or "")
        if previous is not None:
            await self._delete_session(session.client_id)
            await self._stop_handler(previous[1])
        return handler, session

    async def _stop_handler(self, handler: BrokerProtocolHandler) -> None:
        """End a connection: politely for `HANDLER_STOP_TIMEOUT_S`, then by its socket."""
        try:
            async with asyncio.timeout(HANDLER_STOP_TIMEOUT_S):
                await super()._stop_handler(handler)
        except TimeoutError:
            logger.info("a connection did not end by itself and is closed")
            if handler.writer is not None:
                await handler.writer.close()

    def _knows(self, session: Session) -> bool:
        known = self._credentials.get(session.username or "")
        if known is None or session.client_id != session.username:
            return False
        given = sha256((session.password or "").encode()).digest()
        if not hmac.compare_digest(given, known.token_sha256):
            return False
        return not session.will_flag or known.access.may_publish(session.will_topic or "")

    async def _authenticate(self, session: Session, _: ListenerConfig) -> bool:
        return self._knows(session)

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        known = self._credentials.get(session.username or "")
        if known is None:
            return False
        if action is Action.PUBLISH:
            return known.access.may_publish(topic)
        if action is Action.SUBSCRIBE:
            return known.access.may_look_for(topic)
        return known.access.may_receive(topic)

    async def retain_message(
        self,
        source_session: Session | None,
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        """Keep what `retained_bytes_max` allows and nothing else."""
        if len(data or b"") > retained_bytes_max(topic_name or ""):
            return
        await super().retain_message(source_session, topic_name, data, qos)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Asked for every filter of every client at each connect: answer for its own only.

        A filter may be wider than what is granted, so each message is asked for by itself.
        """
        subscribers = self._subscriptions.get(subscription[0], [])
        if not any(subscriber is session for subscriber, _ in subscribers):
            return
        publish = super()._publish_retained_messages_for_subscription
        asked_for = [
            (topic, subscription[1])
            for topic in self._retained_messages
            if self._matches(topic, subscription[0])
            and await self._topic_filtering(session, topic, Action.RECEIVE)
        ]
        await asyncio.gather(*(publish(exactly, session) for exactly in asked_for))

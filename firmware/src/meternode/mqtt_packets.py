"""MQTT 3.1.1 packets a node needs, as bytes (OASIS standard, section numbers in brackets).

QoS 1 both ways, one packet at a time; no QoS 2, no session kept by the broker.
"""

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14

PACKET_BYTES_MAX = 1_536
"""The largest packet a node takes: a message of 1 KiB, its topic and id."""
RETAIN, QOS_1, DUPLICATE = 0x01, 0x02, 0x08
REFUSALS = {
    1: "protocol version",
    2: "client id",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorised",
}


class ProtocolError(OSError):
    """The broker broke the protocol or refused; the connection is of no use any more."""


def connect(client_id, username, password, will_topic, will, keepalive_s):
    """CONNECT with a clean session and a retained will of QoS 1 [3.1]."""
    flags = (
        0xC0 | 0x20 | 0x08 | 0x04 | 0x02
    )  # user, password, will retain, will QoS 1, will, clean
    body = _text("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big")
    body += _text(client_id) + _text(will_topic) + _data(will) + _text(username) + _text(password)
    return _packet(CONNECT << 4, body)


def publish(topic, payload, packet_id, retain=False, is_repeated=False):
    """PUBLISH with QoS 1 [3.3]."""
    flags = QOS_1 | (RETAIN if retain else 0) | (DUPLICATE if is_repeated else 0)
    return _packet(PUBLISH << 4 | flags, _text(topic) + packet_id.to_bytes(2, "big") + payload)


def puback(packet_id):
    """PUBACK [3.4]."""
    return _packet(PUBACK << 4, packet_id.to_bytes(2, "big"))


def subscribe(topics, packet_id):
    """SUBSCRIBE to topics with QoS 1 [3.8]."""
    body = packet_id.to_bytes(2, "big")
    for topic in topics:
        body += _text(topic) + b"\x01"
    return _packet(SUBSCRIBE << 4 | 0x02, body)


def pingreq():
    """PINGREQ [3.12]."""
    return _packet(PINGREQ << 4, b"")


def disconnect():
    """DISCONNECT [3.14]."""
    return _packet(DISCONNECT << 4, b"")


async def read_packet(reader):
    """`(first byte, body)` of the next packet; raises `OSError` at the end of the stream."""
    first = (await _exactly(reader, 1))[0]
    length, shift = 0, 0
    while True:
        byte = (await _exactly(reader, 1))[0]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 21:
            raise ProtocolError("remaining length")
    if length > PACKET_BYTES_MAX:
        raise ProtocolError("packet too large")
    return first, await _exactly(reader, length) if length else b""


def check_connack(first, body):
    """Raises `ProtocolError` unless the broker accepted the connection [3.2]."""
    if first >> 4 != CONNACK or len(body) != 2:
        raise ProtocolError("no CONNACK")
    if body[1]:
        raise ProtocolError("refused: " + REFUSALS.get(body[1], str(body[1])))


def check_suback(body, count):
    """Raises `ProtocolError` unless every topic was granted [3.9]."""
    if len(body) != 2 + count or 0x80 in body[2:]:
        raise ProtocolError("subscription refused")


def parse_publish(first, body):
    """`(topic, payload, packet_id)` of a PUBLISH; the id is 0 at QoS 0 [3.3]."""
    length = int.from_bytes(body[:2], "big")
    topic, at, packet_id = body[2 : 2 + length], 2 + length, 0
    if len(topic) != length:
        raise ProtocolError("topic")
    if first & 0x06:
        packet_id = int.from_bytes(body[at : at + 2], "big")
        at += 2
    try:
        return topic.decode(), body[at:], packet_id
    except UnicodeError:
        raise ProtocolError("topic") from None


async def _exactly(reader, count):
    try:
        return await reader.readexactly(count)
    except EOFError:
        raise OSError("the connection ended") from None


def _packet(first, body):
    length, encoded = len(body), b""
    while True:
        length, byte = length >> 7, length & 0x7F
        encoded += bytes((byte | (0x80 if length else 0),))
        if not length:
            return bytes((first,)) + encoded + body


def _text(text):
    return _data(text.encode())


def _data(data):
    return len(data).to_bytes(2, "big") + data

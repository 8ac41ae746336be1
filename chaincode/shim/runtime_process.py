"""The child process of a peer that runs one chaincode.

    python -m chaincode.shim.runtime_process --fd 5 --page-fd 6 --parent 4711
        --module chaincode.energy --chaincode-id energy:1.0

`--fd` is one end of a socket pair: frames of a 4-byte big-endian length and a ChaincodeMessage.
One thread: read what is there, run every transaction that can go on, send everything at once.
The process ends when the peer closes the socket.
"""

import argparse
import logging
import os
import socket
import struct
import sys
from pathlib import Path

from chaincode.shim.chaincode import load_chaincode
from chaincode.shim.errors import ProtocolError
from chaincode.shim.file_sandbox import libraries, restrict_files
from chaincode.shim.package_code import import_from
from chaincode.shim.running_page import RunningPage
from chaincode.shim.sandbox import deny_system_calls, die_with_parent, limit_resources
from chaincode.shim.session import PEER_MSPID_VARIABLE, ChaincodeSession

log = logging.getLogger(__name__)

FRAME_LENGTH = struct.Struct(">I")
FRAME_BYTES_MAX = 16 * 1024 * 1024
RECEIVE_BYTES = 256 * 1024
MEMORY_BYTES = 256 * 1024 * 1024


def main(arguments: list[str] | None = None) -> int:
    """Run until the peer closes the socket."""
    options = _options().parse_args(arguments)
    logging.basicConfig(level=options.log_level, format="%(levelname)s %(name)s %(message)s")
    die_with_parent(options.parent)
    page = RunningPage(options.page_fd)
    channel = socket.socket(fileno=options.fd)
    limit_resources(memory_bytes=options.memory_bytes)
    if not deny_system_calls():
        log.warning("no system call filter on this machine; contracts could open sockets")
    if options.code is not None:
        import_from(options.code)
    if not restrict_files((*libraries(options.module), *filter(None, (options.code,)))):
        log.warning("no Landlock on this machine; contracts could read this user's files")
    chaincode = load_chaincode(options.module, version=options.chaincode_id.rpartition(":")[2])
    mspid = os.environ.get(PEER_MSPID_VARIABLE, "")
    session = ChaincodeSession(chaincode, options.chaincode_id, page.running, mspid=mspid)
    serve(channel, session, page)
    return 0


def serve(channel: socket.socket, session: ChaincodeSession, page: RunningPage) -> None:
    """Exchange frames until the other end closes."""
    channel.sendall(framed([session.hello()]))
    rest = b""
    while chunk := channel.recv(RECEIVE_BYTES):
        messages, rest = split_frames(rest + chunk)
        answers: list[bytes] = []
        for message in messages:
            answers += session.receive(message)
        page.idle()
        if answers:
            channel.sendall(framed(answers))


def split_frames(received: bytes) -> tuple[list[bytes], bytes]:
    """Whole frames at the start of `received`, and the rest."""
    messages = []
    start = 0
    while len(received) - start >= FRAME_LENGTH.size:
        (length,) = FRAME_LENGTH.unpack_from(received, start)
        end = start + FRAME_LENGTH.size + length
        if length > FRAME_BYTES_MAX:
            raise ProtocolError(f"the peer sent a frame of {length} bytes")
        if end > len(received):
            break
        messages.append(received[start + FRAME_LENGTH.size : end])
        start = end
    return messages, received[start:]


def framed(messages: list[bytes]) -> bytes:
    """Messages as frames, one after another."""
    return b"".join([FRAME_LENGTH.pack(len(m)) + m for m in messages])


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run one chaincode for the peer that started it.")
    parser.add_argument("--fd", type=int, required=True, help="socket to the peer")
    parser.add_argument("--page-fd", type=int, required=True, help="memory shared with the peer")
    parser.add_argument("--parent", type=int, required=True, help="process id of the peer")
    parser.add_argument("--module", required=True, help="module with CONTRACTS = (…)")
    parser.add_argument("--code", type=Path, help="folder of an unpacked package")
    parser.add_argument("--chaincode-id", required=True, help="name:version")
    parser.add_argument("--memory-bytes", type=int, default=MEMORY_BYTES)
    parser.add_argument("--log-level", default="INFO")
    return parser


if __name__ == "__main__":
    sys.exit(main())

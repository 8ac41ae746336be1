"""`gridledger cert serve`: the member's authority behind a socket, for its gateway.

The authority's key stays in this process, and the gateway's process never sees it. What it
certifies are participants (OU client, a participant's role, an IDgrid) and nobody else: whoever
takes over the gateway gets no administrator and no manager here, and no household either, because
the ledger names the keys of each household (docs/keys.md).

One question a connection: a line of JSON `{"idgrid", "role", "request_pem"}`; the answer is a line
`{"mspid", "certificate_pem"}` or `{"refused": why}`. The socket is a file only its owner opens.
"""

import argparse
import json
import os
import re
import signal
import socketserver
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from chaincode.energy.community import PARTICIPANTS
from ledger.errors import InvalidMessage
from network.certificates.authority import REQUEST_BYTES_MAX, MemberAuthority

QUESTION_BYTES_MAX = 2 * REQUEST_BYTES_MAX
QUESTION_TIMEOUT_S = 5.0
CONNECTIONS_WAITING_MAX = 32
SOCKET_UMASK = 0o177
_IDGRID = re.compile(r"[A-Z0-9-]{4,32}")
_ROLES = frozenset(role.value for role in PARTICIPANTS)


def add_serve_arguments(serve: argparse.ArgumentParser) -> None:
    """What `gridledger cert serve` takes beside `--plan`."""
    serve.add_argument("member", help="the member who vouches, by its id in the plan")
    serve.add_argument("--socket", type=Path, required=True, help="where to listen")


def answer(
    authority: MemberAuthority, question: bytes, clock: Callable[[], datetime]
) -> dict[str, str]:
    """What is sent back; the certificate's name is the IDgrid."""
    try:
        asked = json.loads(question)
        idgrid, role, request = (str(asked[name]) for name in ("idgrid", "role", "request_pem"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"refused": "not a question"}
    if _IDGRID.fullmatch(idgrid) is None or role not in _ROLES:
        return {"refused": "participants are certified here, and nobody else"}
    try:
        attributes = {"idgrid": idgrid, "role": role}
        certificate = authority.certify_request(request.encode(), idgrid, attributes, now=clock())
    except InvalidMessage as error:
        return {"refused": str(error)}
    return {"mspid": authority.mspid, "certificate_pem": certificate.decode("ascii")}


class _Questions(socketserver.StreamRequestHandler):
    timeout = QUESTION_TIMEOUT_S

    def handle(self) -> None:
        assert isinstance(self.server, AuthorityServer)
        try:
            question = self.rfile.readline(QUESTION_BYTES_MAX)
            content = answer(self.server.authority, question, self.server.clock)
            self.wfile.write(json.dumps(content).encode() + b"\n")
        except OSError:
            return  # who asked has gone or dawdles; its next try is a new connection


class AuthorityServer(socketserver.ThreadingUnixStreamServer):
    """Answers until `shutdown`; the socket's file is made anew and removed at the end."""

    daemon_threads = True
    request_queue_size = CONNECTIONS_WAITING_MAX

    def __init__(
        self, path: Path, authority: MemberAuthority, clock: Callable[[], datetime]
    ) -> None:
        self.authority = authority
        self.clock = clock
        self._path = path
        path.unlink(missing_ok=True)
        before = os.umask(SOCKET_UMASK)
        try:
            super().__init__(str(path), _Questions)
        finally:
            os.umask(before)

    def server_close(self) -> None:
        """Stop listening."""
        super().server_close()
        self._path.unlink(missing_ok=True)


def serve(path: Path, authority: MemberAuthority) -> int:
    """Answer until a signal comes; 0."""
    with AuthorityServer(path, authority, lambda: datetime.now(tz=UTC)) as server:

        def stop(_number: int, _frame: FrameType | None) -> None:
            threading.Thread(target=server.shutdown).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        sys.stdout.write(f"certifies participants of {authority.mspid} at {path}\n")
        sys.stdout.flush()
        server.serve_forever()
    return 0

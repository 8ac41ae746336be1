"""The way to the member's certificate authority: one question and one answer over a local socket.

The authority's key is not in this process. `gridledger cert serve` holds it, and certifies
participants only: a gateway that was broken into gets no administrator and no manager from it, and
no household either, since the ledger names each household's keys (docs/keys.md).
"""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Problem, RequestRefused

ANSWER_BYTES_MAX = 32 * 1024
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and the member that issued it."""

    mspid: str
    certificate_pem: str


class SocketIssuer:
    """See `gateway.ports.CertificateIssuer`; each question is a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def certify(self, *, idgrid: str, role: str, request_pem: str) -> Certified:
        """See `gateway.ports.CertificateIssuer`."""
        question = {"idgrid": idgrid, "role": role, "request_pem": request_pem}
        try:
            answer = json.loads(self._asked(json.dumps(question).encode() + b"\n"))
        except (OSError, ValueError) as error:
            raise RequestRefused(
                Problem.ISSUER_UNAVAILABLE, "the member's certificate authority does not answer"
            ) from error
        if "refused" in answer:
            raise RequestRefused(Problem.REJECTED, str(answer["refused"]))
        return Certified(str(answer["mspid"]), str(answer["certificate_pem"]))

    def _asked(self, question: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(self._path))
            connection.sendall(question)
            with connection.makefile("rb") as answers:
                return answers.readline(ANSWER_BYTES_MAX)


class NoIssuer:
    """A gateway without an authority: keys are certified on the command line."""

    def certify(self, *, idgrid: str, role: str, request_pem: str) -> Certified:
        """Refuse."""
        raise RequestRefused(
            Problem.ISSUER_UNAVAILABLE, "this gateway has no certificate authority beside it"
        )

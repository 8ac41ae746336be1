"""The real mosquitto with the configuration we ship, for one test or module."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from gateway.mqtt.mosquitto import NO_FOREIGN, Listening, write_broker
from gateway.settings import ForeignDevices, MqttSettings
from network.certificates.authority import KeyPair, MemberAuthority
from network.ports import free_port_range
from tests.runner import find_program

START_S = 60
COMMUNITY = "val"
PROGRAM = find_program("mosquitto")
needs_mosquitto = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed")


@dataclass
class Mosquitto:
    """One broker; it can be killed and started again on its folder."""

    folder: Path
    port: int
    authority: MemberAuthority
    tokens: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Return when it listens."""
        assert PROGRAM is not None
        command = [PROGRAM, "-c", str(self.folder / "mosquitto.conf")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < until, (self.folder / "log").read_text()
            else:
                return

    def kill(self) -> None:
        """As by a power cut."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        if self.is_running:
            self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)
        self.process.wait()

    def settings(self, user: str) -> MqttSettings:
        ca = self.folder / "ca.crt"
        return MqttSettings("127.0.0.1", self.port, ca, user, self.tokens[user])

    def client(
        self,
        user: str,
        *,
        token: str = "",
        tls: ssl.SSLContext | None = None,
        clean_session: bool = True,
    ) -> aiomqtt.Client:
        context = tls or ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        return aiomqtt.Client(
            "127.0.0.1",
            self.port,
            identifier=user,
            username=user,
            password=token or self.tokens[user],
            tls_context=context,
            timeout=START_S,
            clean_session=clean_session,
        )


@contextmanager
def mosquitto(
    folder: Path,
    devices: Sequence[str],
    *,
    asks_certificates: bool = False,
    foreign: ForeignDevices = NO_FOREIGN,
    people: Sequence[str] = (),
) -> Iterator[Mosquitto]:
    """A started broker of a community with these devices."""
    authority = authority_of("CoopMSP")
    pair = authority.issue_tls("broker", now=datetime.now(tz=UTC))
    (folder / "ca.crt").write_bytes(authority.tls.certificate_pem)
    write_files(pair, folder, "broker")
    port = free_port_range(1)
    listening = Listening(port=port, asks_certificates=asks_certificates)
    tokens = write_broker(folder, COMMUNITY, devices, listening, foreign, people)
    broker = Mosquitto(folder, port, authority, tokens)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def authority_of(mspid: str) -> MemberAuthority:
    return MemberAuthority.create(mspid, "Cooperative", now=datetime.now(tz=UTC))


def write_files(pair: KeyPair, folder: Path, name: str) -> None:
    (folder / f"{name}.crt").write_bytes(pair.certificate_pem)
    (folder / f"{name}.key").write_bytes(pair.key_pem)
    (folder / f"{name}.key").chmod(0o600)


def token_file(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((folder / "tokens.json").read_text())
    return found

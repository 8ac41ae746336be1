"""A real mosquitto on loopback: TLS on P-256, passwords, and the rights of docs/mqtt.md."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt

from gateway.mqtt.topics import Access
from network.certificates.authority import MemberAuthority
from network.ports import free_port_range
from tests.runner import find_program

START_S_MAX = 60
HOST = "127.0.0.1"


class Mosquitto:
    """Start, kill and start again; the port stays the same."""

    def __init__(self, folder: Path, access: Mapping[str, Access]) -> None:
        self.folder = folder
        self.port = free_port_range(1)
        self._process: asyncio.subprocess.Process | None = None
        authority = MemberAuthority.create("DsoMSP", "DSO", now=datetime.now(UTC))
        self.authority_pem = authority.tls.certificate_pem
        pair = authority.issue_tls("broker", now=datetime.now(UTC))
        (folder / "broker.pem").write_bytes(pair.certificate_pem)
        (folder / "broker.key").write_bytes(pair.key_pem)
        (folder / "ca.pem").write_bytes(self.authority_pem)
        (folder / "acl").write_text(_access_list(access))
        (folder / "passwords").write_text(
            "".join(f"{name}:{self.token(name)}\n" for name in access)
        )
        self._write_configuration()

    def token(self, name: str) -> str:
        return f"token-of-{name}"

    def _write_configuration(self) -> None:
        lines = [
            f"listener {self.port} {HOST}",
            "allow_anonymous false",
            f"cafile {self.folder / 'ca.pem'}",
            f"certfile {self.folder / 'broker.pem'}",
            f"keyfile {self.folder / 'broker.key'}",
            f"password_file {self.folder / 'passwords'}",
            f"acl_file {self.folder / 'acl'}",
            "max_queued_messages 0",
            "user root",
        ]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    async def hash_passwords(self) -> None:
        """Turn the plain passwords into hashes, in place."""
        program = find_program("mosquitto_passwd")
        assert program is not None
        done = await asyncio.create_subprocess_exec(
            program, "-U", str(self.folder / "passwords"), stderr=asyncio.subprocess.PIPE
        )
        assert await done.wait() == 0

    async def start(self) -> None:
        program = find_program("mosquitto")
        assert program is not None, "./test --setup installs mosquitto"
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program, "-c", str(self.folder / "mosquitto.conf"), stdout=log, stderr=log
            )
        async with asyncio.timeout(START_S_MAX):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def client(self, name: str, **options: object) -> aiomqtt.Client:
        return aiomqtt.Client(
            HOST,
            self.port,
            identifier=name,
            username=name,
            password=self.token(name),
            tls_params=aiomqtt.TLSParameters(ca_certs=str(self.folder / "ca.pem")),
            timeout=START_S_MAX,
            **options,
        )


def _access_list(access: Mapping[str, Access]) -> str:
    lines = []
    for name, rights in access.items():
        lines.append(f"user {name}")
        lines += [f"topic write {topic}" for topic in rights.publish]
        lines += [f"topic read {topic}" for topic in rights.receive]
    return "\n".join(lines) + "\n"

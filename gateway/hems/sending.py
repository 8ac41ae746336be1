"""When a command goes out again: each is repeated at its interval until it is answered."""

from collections.abc import Sequence

from gateway.hems.transfer_rules import Command


class SentCommands:
    """When each command was sent last; only in memory, so a restart sends all again."""

    def __init__(self) -> None:
        self._sent_ms: dict[tuple[str, str], int] = {}

    def due(self, wanted: Sequence[Command], now_ms: int) -> list[Command]:
        """Those to send now, noted as sent. Nothing is kept of what is no longer wanted."""
        known = {_key(command) for command in wanted}
        self._sent_ms = {key: sent for key, sent in self._sent_ms.items() if key in known}
        return [command for command in wanted if self._is_due(command, now_ms)]

    def _is_due(self, command: Command, now_ms: int) -> bool:
        last_ms = self._sent_ms.get(_key(command))
        if last_ms is not None and now_ms - last_ms < command.resend_ms:
            return False
        self._sent_ms[_key(command)] = now_ms
        return True


def _key(command: Command) -> tuple[str, str]:
    return command.device_id, command.message["id"]

"""Free TCP ports on this machine, for networks that live only as long as a demo or a test."""

import socket
from contextlib import ExitStack

CONSECUTIVE_PORTS_TRIES = 100


def free_port_range(count: int) -> int:
    """First of `count` consecutive loopback ports that are free now."""
    for _ in range(CONSECUTIVE_PORTS_TRIES):
        with ExitStack() as servers:
            first = servers.enter_context(socket.create_server(("127.0.0.1", 0)))
            start: int = first.getsockname()[1]
            try:
                for port in range(start + 1, start + count):
                    servers.enter_context(socket.create_server(("127.0.0.1", port)))
            except (OSError, OverflowError):
                continue
            return start
    raise OSError(f"no {count} consecutive free ports on loopback")

"""Free TCP ports on this machine, for networks that live only as long as a demo or a test."""

import secrets
import socket
from contextlib import ExitStack

CONSECUTIVE_PORTS_TRIES = 100
# Below the range from which the kernel (Linux: 32768 and up) gives outgoing connections their
# ports: a port found free there may be taken by any connection before we listen on it.
LOWEST_PORT = 10_000
HIGHEST_PORT = 32_000


def free_port_range(count: int) -> int:
    """First of `count` consecutive loopback ports that are free now."""
    for _ in range(CONSECUTIVE_PORTS_TRIES):
        start = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT - count)
        with ExitStack() as servers:
            try:
                for port in range(start, start + count):
                    servers.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return start
    raise OSError(f"no {count} consecutive free ports on loopback")

"""Addresses of this machine to send from, so that many clients do not look like one."""

LOOPBACK_HOSTS = 250


def source_address(number: int) -> str:
    """A loopback address per client; the gateway's limits are per address."""
    return f"127.0.{1 + number // LOOPBACK_HOSTS}.{1 + number % LOOPBACK_HOSTS}"

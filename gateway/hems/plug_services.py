"""Plugs that only their maker's service can read, such as eWeLink's, over that service's HTTP.

The address of a plug's service answers `GET <url>/api/device` with the device and
`GET <url>/api/mensual` with its use by month, both JSON objects (001:2002-2031), as a bridge to
the maker's cloud does on the community's own machine: it holds the cloud's secrets, not we. What
it says informs and settles nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.oracle.http_source import HttpSource
from gateway.oracle.steps import JobFailed
from gateway.settings import PlugService
from gateway.strict_json import BadJson, parse_strictly

DEVICE, MONTHLY = "device", "mensual"


class PlugServiceError(Exception):
    """The service does not answer, or with something that is no JSON object."""


@dataclass(frozen=True, slots=True)
class PlugServices:
    """The service of each plug, by the plug's id."""

    by_device: Mapping[str, PlugService] = field(default_factory=dict)

    async def ask(self, device_id: str, what: str) -> dict[str, Any] | None:
        """`DEVICE` or `MONTHLY` of a plug; None for a plug without a service.

        Raises `PlugServiceError`. Takes at most `gateway.oracle.http_source.TIMEOUT_S`.
        """
        service = self.by_device.get(device_id)
        if service is None:
            return None
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                raw = await HttpSource(http).get(f"{service.url}/api/{what}", service.token)
            found = parse_strictly(raw)
        except (JobFailed, BadJson) as error:
            raise PlugServiceError(f"the plug's service failed: {error}") from error
        if not isinstance(found, dict):
            raise PlugServiceError("the plug's service did not answer with a JSON object")
        return found

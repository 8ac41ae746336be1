"""The manager's page about new devices: a code for the installer, and what the device printed.

Nothing here changes the ledger: a proved key becomes a form that the manager's browser signs.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from gateway.api.access import LiveServices, UsedServices
from gateway.errors import Problem, RequestRefused
from gateway.hems.device_enrolment import EnrolmentDoubt, EnrolmentRefused, ProvedDevice
from gateway.services import Services
from gateway.web.console.pages import SECTION, the_manager
from gateway.web.languages import N_
from gateway.web.state_texts import DEVICE_KINDS
from gateway.web.templating import page

FIELDS_MAX = 4
DOUBT_TEXTS: Mapping[EnrolmentDoubt, str] = {
    EnrolmentDoubt.MALFORMED: N_("This is not the line that a device prints at its start."),
    EnrolmentDoubt.UNKNOWN_CODE: N_("This code was not written for this device."),
    EnrolmentDoubt.EXPIRED_CODE: N_("The code is too old. Write a new one for the device."),
    EnrolmentDoubt.USED_CODE: N_("The code was used for another key."),
    EnrolmentDoubt.WRONG_PROOF: N_("The key did not sign this device and its code."),
    EnrolmentDoubt.NOT_ATTESTED: N_("The settings of the gateway name no secret of this device."),
}

router = APIRouter(
    prefix="/console/meters", include_in_schema=False, dependencies=[Depends(the_manager)]
)


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a form; the gateway has limited the length of the body before."""
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise RequestRefused(Problem.MALFORMED, "this is no form") from None


Fields = Annotated[dict[str, str], Depends(_fields)]


@router.get("/enrolment")
def enrolment(request: Request, services: UsedServices) -> HTMLResponse:
    """Codes that were written, and the keys proved with them."""
    return _shown(request, services)


@router.post("/enrolment")
async def check(request: Request, services: LiveServices, fields: Fields) -> HTMLResponse:
    """Check what a device printed; a proved key is shown with the form that registers it."""
    line, code = fields.get("line", ""), fields.get("code", "")
    try:
        proved = await asyncio.to_thread(services.device_enrolment.check, line, code)
    except EnrolmentRefused as refused:
        return _shown(request, services, doubt=refused.doubt)
    return _shown(request, services, proved=proved)


@router.post("/code")
async def write_code(request: Request, services: LiveServices, fields: Fields) -> HTMLResponse:
    """A new code for a device of a registered IDgrid, shown this once."""
    device, owner = fields.get("device", ""), fields.get("owner", "")
    if services.community.participant(owner) is None:
        raise RequestRefused(Problem.NOT_FOUND, "there is no such participant")
    try:
        code = await asyncio.to_thread(services.device_enrolment.write_code, device, owner)
    except ValueError as error:
        raise RequestRefused(Problem.MALFORMED, str(error)) from error
    return _shown(request, services, written=(device, code))


def _shown(
    request: Request,
    services: Services,
    *,
    proved: ProvedDevice | None = None,
    doubt: EnrolmentDoubt | None = None,
    written: tuple[str, str] | None = None,
) -> HTMLResponse:
    codes = services.device_enrolment.codes().values()
    return page(
        request,
        "console/enrolment.html",
        section=SECTION,
        codes=sorted(codes, key=lambda code: code.device_id),
        participants=services.community.participants(),
        device_kinds=DEVICE_KINDS,
        now_ms=services.clock_ms(),
        proved=proved,
        written=written,
        meter=_registered(services, proved),
        doubt=doubt,
        doubt_texts=DOUBT_TEXTS,
    )


def _registered(services: Services, proved: ProvedDevice | None) -> object:
    """The record of the proved device, when the ledger has one already."""
    meters = services.community.meters() if proved is not None else ()
    wanted = (one for one in meters if proved and one.meter_id == proved.device_id)
    return next(wanted, None)

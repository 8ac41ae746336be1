"""A household's monthly statement as a PDF in its own language."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from gateway.api.access import SignedIn, UsedServices
from gateway.api.settlement_routes import MONTH_PATTERN, month_or_refusal
from gateway.statements.statement_files import as_pdf
from gateway.web.languages import N_
from gateway.web.own_pages import household_of
from gateway.web.templating import language_of

STATEMENT_TEXTS = (
    N_("Statement"),
    N_("issued"),
    N_("preliminary"),
    N_("What the auction changed on the account"),
    N_("Balance with the utility"),
    N_("{hours} hours, {corrections} corrections, run {run}"),
    N_("Imported from the grid connection"),
    N_("Exported to the grid connection"),
    N_("Sold in the community"),
    N_("Bought in the community"),
    N_("Received for energy sold"),
    N_("Community pool share"),
    N_("Paid for energy bought"),
    N_("Network charge"),
    N_("Bought from the utility"),
    N_("Owed to the utility"),
    N_("Sold to the utility"),
    N_("Owed by the utility"),
    N_("Auction"),
    N_("From house to house"),
    N_("Through groups"),
    N_("Account"),
    N_("{count} deals, {waiting} not settled"),
    N_("On the account on {day}, 0:00"),
    N_("On the account on {day}, 0:00, after it all"),
    N_("Sold to neighbours"),
    N_("Bought from neighbours"),
    N_("Given back"),
    N_("Paid in"),
    N_("Paid out"),
    N_("Locked"),
    N_("Set free"),
    N_("Auction, settled"),
    N_("Auction, corrected"),
    N_("From the community"),
    N_("Purse of a group"),
    N_("Traded through a group"),
    N_("Forfeited"),
    N_("Other"),
)
"""What `gateway.statements.statement_files` writes, marked for the catalogues."""
router = APIRouter(include_in_schema=False)


@router.get("/account/statement-{month}.pdf")
def statement(
    request: Request,
    services: UsedServices,
    viewer: SignedIn,
    month: Annotated[str, Path(pattern=MONTH_PATTERN)],
) -> Response:
    """The same figures as `/v1/invoices/{month}`."""
    idgrid = household_of(viewer)
    found = month_or_refusal(services, idgrid, month)
    words = language_of(request).text
    local, currencies = services.local_time, services.currencies
    content = as_pdf(found, services.community_name, local, words, currencies)
    name = f"statement-{month}-{idgrid}.pdf"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)

"""Check this receipt: a page whose script checks a receipt in the browser, also offline.

The server renders words only; no receipt is ever sent to it. What is checked: docs/receipts.md.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from chaincode.energy.marketplace.records import PostState
from gateway.web.languages import N_
from gateway.web.templating import page
from ledger.receipts.refusals import Problem, Step

STEPS: Mapping[Step, str] = {
    Step.FILE: N_("The file is whole and is a receipt"),
    Step.CHAIN: N_("It is of this community's ledger"),
    Step.VALIDATORS: N_("The validators of that time were in charge"),
    Step.SEALS: N_("A quorum of them signed"),
    Step.STATE_COMMITMENT: N_("What they signed covers the ledger's state"),
    Step.MERKLE_PATH: N_("What the receipt says is part of that state"),
    Step.STATEMENT: N_("The transaction was valid and wrote this"),
}
"""What each step of the check makes sure of, in its order."""
PROBLEMS: Mapping[Problem, str] = {
    Problem.NOT_A_RECEIPT: N_("This file is something else."),
    Problem.UNKNOWN_VERSION: N_("This receipt is newer than this page."),
    Problem.OVERSIZED: N_("This file is too big for a receipt."),
    Problem.TRUNCATED: N_("The end of the file is missing."),
    Problem.MORE_AFTER_THE_END: N_("Something was added to the file."),
    Problem.MALFORMED: N_("The file is damaged."),
    Problem.OTHER_CHAIN: N_("This receipt is of another ledger."),
    Problem.OLD_VALIDATORS: N_("It is signed by validators that were not in charge then."),
    Problem.UNKNOWN_VALIDATORS: N_("It is signed by validators that are not on your list."),
    Problem.STRANGERS_SEAL: N_("Somebody signed who is no validator."),
    Problem.SEALED_TWICE: N_("One validator is counted twice."),
    Problem.BAD_SEAL: N_("A signature is not genuine."),
    Problem.TOO_FEW_SEALS: N_("Too few validators signed."),
    Problem.OTHER_STATE: N_("The validators signed something else."),
    Problem.OTHER_ROOT: N_("The content was changed, or never was on the ledger."),
    Problem.OTHER_BLOCK: N_("Parts of different receipts were put together."),
    Problem.OTHER_CODE: N_("The ledger did not accept this transaction."),
}
"""Every reason to refuse a receipt, for a household."""
POST_STATES: Mapping[PostState, str] = {
    PostState.OPEN: N_("nobody has taken it"),
    PostState.RESERVED: N_("held for one household"),
    PostState.PURCHASED: N_("bought, not settled yet"),
    PostState.SOLD: N_("sold, not settled yet"),
    PostState.DISPUTED: N_("disputed, readings are missing"),
    PostState.SETTLED: N_("settled"),
    PostState.REFUNDED: N_("the buyer got the money back"),
    PostState.EXPIRED: N_("Expired"),
    PostState.DELETED: N_("Deleted"),
}
"""How far a deal had come when it was written; each has words, as the page's script expects."""

router = APIRouter(include_in_schema=False)


@router.get("/receipt")
def receipt(request: Request) -> HTMLResponse:
    """The page; a receipt in the link's fragment stays in the browser."""
    return page(
        request,
        "receipt.html",
        section="account",
        steps=STEPS,
        problems=PROBLEMS,
        post_states=POST_STATES,
    )

"""What a contract's function does, in words: where it is signed, and wherever it is listed."""

from collections.abc import Mapping

from gateway.web.languages import N_

FUNCTION_TITLES: Mapping[str, str] = {
    "market:place_bid": N_("Buy energy"),
    "market:place_offer": N_("Sell energy"),
    "orders:cancel": N_("Cancel an order"),
    "orders:replace": N_("Replace an order"),
    "standing:place": N_("Standing order: one order in every hour"),
    "standing:withdraw": N_("End a standing order"),
    "marketplace:post_offer": N_("Offer energy to a neighbour"),
    "marketplace:post_request": N_("Request energy from a neighbour"),
    "marketplace:buy": N_("Buy the energy of this offer"),
    "marketplace:delete": N_("Delete an offer or request"),
    "marketplace:request_to_sell": N_("Ask to serve this request"),
    "marketplace:accept": N_("Accept who asked to serve the request"),
    "marketplace:decline": N_("Decline who asked to serve the request"),
    "signers:add": N_("Let another key act for this household"),
    "signers:add_agent": N_("Let an agent trade for this household, within limits"),
    "signers:revoke": N_("A key no longer acts for this household"),
    "signers:enrol": N_("Enter the first key of a household"),
    "signers:recover": N_("Give a household a new key after a day"),
    "membership:consent": N_("Agree to the community's terms"),
    "membership:withdraw_consent": N_("No longer agree to the community's terms"),
    "access:grant": N_("Let somebody read a meter"),
    "access:revoke": N_("No longer let somebody read a meter"),
    "registry:register_participant": N_("Register an IDgrid"),
    "persons:record": N_("Record personal data apart from the ledger"),
    "persons:set_index_key": N_("Open the register of persons"),
    "registry:register_meter": N_("Register a meter"),
    "devices:register": N_("Register a device with its key"),
    "devices:replace_key": N_("Give a device a new key"),
    "registry:register_res": N_("Register an energy source"),
    "registry:authorise_res": N_("Let an energy source be traded"),
    "registry:withdraw_res": N_("No longer let an energy source be traded"),
    "registry:approve_participant": N_("Approve a connection"),
    "registry:approve_meter": N_("Approve a meter"),
    "registry:approve_res": N_("Approve an energy source"),
    "auction:approve_order": N_("Approve a large order"),
    "membership:suspend": N_("Suspend a household"),
    "membership:reinstate": N_("End a suspension"),
    "tokens:deposit": N_("Issue tokens"),
    "listings:AuthorizeOfferCom": N_("Open a listing"),
    "listings:stop": N_("Emergency stop: cancel a listing and give all money back"),
    "oracle:publish_price": N_("Publish a price"),
    "sharing:agree": N_("Record what was agreed"),
    "statements:issue": N_("Issue the statements of a month"),
}
"""Functions without words here are shown by their name: never hidden, never guessed."""
STEP_TITLES: Mapping[str, str] = {
    "market:open_listing": N_("Open a listing"),
    "market:close_bidding": N_("Close the gate"),
    "market:clear": N_("Set the price"),
    "market:start_delivery": N_("Begin delivery"),
    "market:settle": N_("Settle an hour"),
    "listings:advance": N_("Next step of a listing"),
    "listings:refund": N_("Give money back"),
    "standing:carry_out": N_("Place a standing order"),
    "standing:carry_out_profile": N_("Place an hourly profile"),
    "oracle:report_readings": N_("Report readings"),
    "anchors:record": N_("Anchor stored measurements"),
    "registry:configure": N_("Say which member has which role"),
}
"""What staff and services do without a page."""
ALL_TITLES: Mapping[str, str] = {**FUNCTION_TITLES, **STEP_TITLES}

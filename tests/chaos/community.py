"""Households of a chaos network: registered once, found again by later runs in the folder."""

import secrets
from datetime import UTC, datetime, timedelta

from chaincode.energy.hours import listing_id_at
from ledger.client.gateway import GatewayClient
from network.bench.trial_households import TrialHouseholds, submitting
from network.layout import NetworkLayout
from network.plan import Plan

HOUSEHOLDS = 4
FIRST_HOUR = datetime(2031, 1, 1, tzinfo=UTC)
HOURS = 200_000


class ChaosCommunity:
    """Staff and households: new certificates each time, what they own is on the ledger."""

    def __init__(self, plan: Plan, layout: NetworkLayout) -> None:
        self._trial = TrialHouseholds(plan, layout, name="chaos")
        self.manager = self._trial.manager
        self.households = [self._trial.household(number) for number in range(HOUSEHOLDS)]

    async def settle_in(self, client: GatewayClient) -> None:
        """Register everybody, through one peer."""
        submit = submitting(client)
        await self._trial.configure(submit)
        for household in self.households:
            await self._trial.register(submit, household)

    async def open_listing(self, client: GatewayClient) -> str:
        """A new listing that takes one offer and one bid of each household."""
        hour = FIRST_HOUR + timedelta(hours=secrets.randbelow(HOURS))
        listing_id = listing_id_at(int(hour.timestamp()) * 1_000)
        await self._trial.open_listing(submitting(client), listing_id)
        return listing_id

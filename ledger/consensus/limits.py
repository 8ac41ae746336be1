"""Every bound of the consensus core, with its unit (table in docs/consensus.md)."""

MAX_ROUND = 1_000_000
"""Rounds. At the timeout cap of one minute this is two years without a quorum, so an outage
cannot exhaust it, and a round number never comes near the edge of any integer type."""

ROUND_WINDOW_PER_VALIDATOR = 2
ROUND_WINDOW_EXTRA = 10
"""Votes are stored for rounds within `2n + 10` of the current one."""

FUTURE_HEIGHTS = 10
"""Blocks ahead of the height being decided for which messages are kept."""

FUTURE_MESSAGES_PER_AUTHOR = 64
"""Messages kept for future heights, for each author, so that no author displaces another."""

FUTURE_BLOCKS_PER_AUTHOR = 2
"""Of those, messages that carry a whole block (at most 2 MiB each)."""

BASE_TIMEOUT_MS = 2_000
"""Milliseconds a validator waits in round 0 before it asks for another proposer."""

MAX_TIMEOUT_MS = 60_000
"""Milliseconds; no round lasts longer before its timer fires."""

MAX_TIMEOUT_DOUBLINGS = 6
"""The exponent is clamped before shifting, so a huge round cannot overflow a timeout."""

MAX_CLOCK_SKEW_MS = 5_000
"""Milliseconds a fresh block's time may lie ahead of the clock of the validator judging it."""

REPORTS_PER_AUTHOR = 64
"""Equivocations of one author reported for one height; more prove nothing new and take memory."""

KEPT_BLOCKS = 4
"""Blocks of one height kept for a late quorum of commits; an older one is fetched instead."""

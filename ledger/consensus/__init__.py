"""QBFT as a state machine: one event in, a tuple of effects out (docs/consensus.md).

Nothing here reads a clock, a disk, a socket or a random number. Files, from the data up:
`limits`, `quorum`, `timeouts`, `messages`, `records`, `events`, `effects` are values and
arithmetic; `votes`, `round_state` remember; `proposal_rules`, `justification` judge messages;
`upon_*` are the protocol's rules; `core` is the only object a shell talks to.
"""

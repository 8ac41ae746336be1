"""Token accounts: deposits, payouts on their way, escrow."""

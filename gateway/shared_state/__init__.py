"""What gateways that share a database know together, beside the ledger; worth a backup.

    answered.py      requests with an Idempotency-Key, and what they were answered
    submissions.py   transactions handed to ordering that no block holds yet
    api_tokens.py    tokens of scripts, each with a role and scopes (`gateway.identity.scopes`)

Nothing in the tables opens anything: of tokens they hold the SHA-256.
"""

"""A member's oracle: signed meter readings and answers to questions onto the ledger."""

"""The demonstration community: registration, the market day, the table and the summary."""

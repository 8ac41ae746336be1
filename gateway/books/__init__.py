"""What pages and the API read of the ledger, asked in the words of the market.

    community.py         participants, sources, meters, accounts, all money
    market.py            listings, order books, results, settlements
    marketplace.py       posts, and what a viewer can do with each
    own_orders.py        one household's orders, each with what became of it
    own_records.py       one household: energy, money, activity
    ledger_records.py    typed records out of the read model's mirror of the contracts' state

Pure, from records to figures: `order_progress`, `metered_history`, `savings`, `standing_preview`.
"""

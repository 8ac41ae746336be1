"""The read model: the ledger in tables, for pages and the API. Dropped and rebuilt at will.

Verified blocks go in through `Projector.apply` (one database transaction each); everything else
only reads. Build on these, never on the tables:

`ReadModel` (`services.readmodel`)
    height · value(key) · entry(key) · entries(prefix) · block(number) · block_by_hash(digest) ·
    blocks(below, limit) · block_bytes(number) · whole_block(number) · transaction(tx_id) ·
    transactions_of_block(number) · transactions(below=, limit=, function=, member=, code=) ·
    activity(idgrid, below=, limit=) · readable(idgrid, first_block, last_block) ·
    readers_of(block_number) · identity(digest) · events_of(block_number) ·
    events_after(position, limit, names=)
`market_queries` (first argument: the read model)
    listings(before=, states=, limit=) · listings_delivering(from_ms, to_ms) · next_to_close() ·
    orders_of_household(idgrid, below=, limit=) · orders_of_listing(listing_id, below=, limit=) ·
    settlements_of_household(idgrid, before=, limit=) · settlements_of_listing(listing_id)
`ledger_queries`
    search(text) · channel_config() · contracts()

Pages are `Slice(items, next)`: hand `next` back to get the page after it (`Position.parse` where a
`Position` is wanted); at most `PAGE_MAX` rows. Records are in `records`. Whole contract records
(`Listing`, `Participant`, …) come through `books.ledger_records` from `value` and `entries`.

Calls block for well under a millisecond on SQLite: write routes as plain `def`, and in asyncio
code use `asyncio.to_thread`. Answers that must fit together go inside
`with readmodel.at_one_height():`; a request's routes are inside one already.

A new table: `tables.py`, a migration, the projection in `market_rows.py`, and
`PROJECTION_VERSION` + 1, which makes running gateways fill the read model anew.
"""

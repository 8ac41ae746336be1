"""Private data of collections: sent out, stored with blocks, asked for, fetched later."""

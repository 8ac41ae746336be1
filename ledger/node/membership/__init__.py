"""Who belongs to the channel now: configuration in force, its changes, links, credentials."""

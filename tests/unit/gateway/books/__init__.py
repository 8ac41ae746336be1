"""What the gateway keeps of a household's money."""

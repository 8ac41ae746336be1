"""The home energy data service: what it believes, keeps, tells."""

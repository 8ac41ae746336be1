"""Who may read whose meters: grants of the owner, per meter and grantee."""

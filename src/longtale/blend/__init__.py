"""How far to trust each source: scores onto one scale, then one list."""

"""Tries of what is promised: what a user can run against an installed copy."""

"""Conditions on item attributes, as users write them."""

"""Smaller encoders that say nearly the same."""

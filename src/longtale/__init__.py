"""Longtale recommends and searches catalogues that have words in them."""

__version__ = "0.1.0"

"""Retrievers: from a request to a score for every item of the catalogue."""

"""Texts of items that the same people chose are brought together, others apart."""

"""Catalogue row -> text -> vectors."""

"""Small catalogues of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from longtale.data.catalog import Catalog, TextField
from longtale.data.vocabulary import Vocabulary
from longtale.schema import Role


def catalog_of(
    fields: Mapping[str, Sequence[str | None]], roles: Mapping[str, Role] | None = None
) -> Catalog:
    """Build a catalogue of text fields; a field is named for its role where none is given."""
    roles = {name: Role(name) for name in fields} if roles is None else roles
    frame = pl.DataFrame(dict(fields), schema=dict.fromkeys(fields, pl.String))
    items = Vocabulary.of([f"i{row}" for row in range(len(frame))], noun="item")
    return Catalog(items, frame, tuple(TextField(name, role) for name, role in roles.items()))


def titled(*titles: str | None) -> Catalog:
    """Build a catalogue of titles alone."""
    return catalog_of({"title": titles})

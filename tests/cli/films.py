"""A small project on disk whose answers can be told: two tribes, odd ids, no language model."""

from __future__ import annotations

from pathlib import Path

USER_WITH_SPACES = "anna lee"
EMOJI_USER = "🦊"
RIGHT_TO_LEFT_ITEM = "סרט חדש"
UNTOUCHED_ITEM = "i 99"

_SPACE = ("galaxy", "rocket", "planet", "android", "orbit", "comet", "asteroid", "starship")
_LOVE = ("wedding", "kiss", "heart", "bride", "letter", "summer", "valentine", "romance")

SETTINGS = """
[data.items]
source = "items.csv"
id = "id"
title = "title"
category = "genres"

[data.events]
source = "events.csv"
user = "user"
item = "item"
time = "at"

[encode]
model = "hashed"

[models]
use = ["popular", "item_knn", "ease", "semantic"]

[evaluate]
n_bootstrap = 20
"""


def write_films(folder: Path) -> Path:
    """Write items, events and settings; 16 films and one nobody touched, 20 users."""
    items = ["id,title,genres,year"]
    for row, word in enumerate((*_SPACE, *_LOVE)):
        genre = "space" if row < len(_SPACE) else "love"
        one_id = RIGHT_TO_LEFT_ITEM if row == 0 else f"i{row}"
        items.append(f"{one_id},The {word} {genre},{genre},{1980 + row}")
    items.append(f"{UNTOUCHED_ITEM},The rocket and the comet space,space,2020")
    events = ["user,item,at"]
    for user in range(20):
        name = {0: USER_WITH_SPACES, 1: EMOJI_USER}.get(user, f"u{user}")
        for step in range(6):
            row = (user // 2 + step) % 8 + 8 * (user % 2)
            item = RIGHT_TO_LEFT_ITEM if row == 0 else f"i{row}"
            events.append(f"{name},{item},2024-01-{1 + step:02}T{user:02}:00:00")
    (folder / "items.csv").write_text("\n".join(items) + "\n", encoding="utf-8")
    (folder / "events.csv").write_text("\n".join(events) + "\n", encoding="utf-8")
    (folder / "longtale.toml").write_text(SETTINGS, encoding="utf-8")
    return folder

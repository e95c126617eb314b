"""A small shop on disk whose answers can be told: two tribes, odd ids, no language model."""

from __future__ import annotations

from pathlib import Path

SPACE = ("galaxy", "rocket", "planet", "android", "orbit", "comet", "asteroid", "starship")
LOVE = ("wedding", "kiss", "heart", "bride", "letter", "summer", "valentine", "romance")
ODD_ITEM = "a/b?c=d&e 🎬"
UNTOUCHED = "i99"
N_USERS = 20

SETTINGS = """
[data.items]
source = "items.csv"
id = "id"
title = "title"
category = "genres"

[data.users]
source = "users.csv"
id = "id"
text = ["about"]

[data.events]
source = "events.csv"
user = "user"
item = "item"
time = "at"
kind = "kind"

[encode]
model = "hashed"

[models]
use = ["popular", "rising", "item_knn", "user_knn", "ease", "semantic"]

[evaluate]
n_bootstrap = 20

[serve]
port = 0
store = "memory:"
commit_wait_ms = 0
catalog_every_s = 0.05
learn_every_s = 0.2
"""


def item_id(row: int) -> str:
    return ODD_ITEM if row == 7 else f"i{row}"


def write_shop(folder: Path, *, n_steps: int = 6) -> Path:
    """Write 16 films and one nobody touched, 20 users of two tribes, and settings.

    u0, u2, ... watch space, u1, u3, ... love; u19 wrote about themselves and did nothing.
    """
    items = ["id,title,genres,studio,year"]
    for row, word in enumerate((*SPACE, *LOVE)):
        genre = "space" if row < len(SPACE) else "love"
        items.append(f"{item_id(row)},The {word} {genre},{genre},studio {row % 3},{1980 + row}")
    items.append(f"{UNTOUCHED},The rocket and the comet space,space,studio 0,2020")
    users = ["id,about,city"]
    events = ["user,item,at,kind"]
    for user in range(N_USERS):
        users.append(f"u{user},{'love and a wedding' if user == N_USERS - 1 else ''},Graz")
        for step in range(n_steps if user < N_USERS - 1 else 0):
            item = item_id((user // 2 + step) % 8 + 8 * (user % 2))
            events.append(f"u{user},{item},2024-01-{1 + step:02}T{user:02}:00:00,view")
    for name, lines in (("items", items), ("users", users), ("events", events)):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "longtale.toml").write_text(SETTINGS, encoding="utf-8")
    return folder

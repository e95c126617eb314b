"""Write the labelled impressions of MovieLens 1M as plain events, for measuring under a time cut.

    python benchmarks/labelled_events.py DATA/ml-1m-labelled DATA/ml-1m FOLDER
    python benchmarks/quality.py FOLDER:time --quality best --seeds 0 1 2

Every impression was rated, so each counts as an event, as in MovieLens 1M itself, with its time.
Titles join the films' attributes and plots, without the columns that follow from the events.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

LEFT_OUT = ("dbpedia_abstract", "mpaa")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labelled", type=Path)
    parser.add_argument("films", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    title = pl.col("title").str.strip_chars()
    rows = pl.read_parquet(asked.labelled / "impressions.parquet").with_columns(title)
    events = rows.select(
        pl.col("uid").cast(pl.String).alias("user_id"),
        pl.col("iid").cast(pl.String).alias("item_id"),
        pl.from_epoch("timestamp").alias("time"),
    )
    events.write_parquet(asked.folder / "events.parquet")
    about = pl.read_parquet(asked.films / "items.parquet").with_columns(title).unique("title")
    items = rows.select(pl.col("iid").cast(pl.String).alias("new_id"), "title").unique("new_id")
    items = items.join(about, on="title", how="left").drop("item_id", *LEFT_OUT)
    items.rename({"new_id": "item_id"}).write_parquet(asked.folder / "items.parquet")
    print(f"{len(events):,} events and {len(items):,} items in {asked.folder}")


if __name__ == "__main__":
    main()

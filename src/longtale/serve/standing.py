"""How things stand: model, log, work in the background, what changed of late, and by whom."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from longtale import log
from longtale.data.record import RecordKind
from longtale.data.splits.bands import BANDS
from longtale.recommend.answer import Json
from longtale.serve import audit
from longtale.serve.drift import Windows, events_of
from longtale.serve.service import Service

EVALUATIONS = "evaluations"
"""Folder beside the settings file in which reports are looked for."""
_WINDOWS = {"hour": Windows(3600, n_before=24), "day": Windows(86_400, n_before=7)}


def status(service: Service) -> dict[str, Json]:
    """Say how things stand."""
    engine = service.engine
    world, dataset = engine.world, engine.world.live.dataset
    return {
        "model_version": world.recommender.version,
        "seq": world.seq,
        "users": world.live.n_users,
        "items": dataset.n_items,
        "waiting_to_be_placed": len(world.unplaced),
        "waiting_to_be_learned": len(world.live.pending),
        "kinds": list(world.kinds),
        "columns": {name: str(dtype) for name, dtype in dataset.catalog.frame.schema.items()},
        "rules": len(engine.views.rules),
        "degraded": list(service.degraded),
        "refused": dict(engine.refused),
        "up_since": datetime.fromtimestamp(service.started_at, UTC).isoformat(timespec="seconds"),
    }


def exposure(service: Service) -> dict[str, Json]:
    """Say how interest is spread over the bands of the catalogue."""
    recommender = service.engine.world.recommender
    counts = recommender.dataset.item_counts
    bands = recommender.presenter.bands
    return {
        "bands": [
            {
                "band": band.value,
                "items": int((bands == code).sum()),
                "interactions": int(counts[bands == code].sum()),
            }
            for code, band in enumerate(BANDS)
        ],
        "never_touched": int(np.count_nonzero(counts == 0)),
    }


def jobs(service: Service) -> dict[str, Json]:
    """Say what this process does beside answering, how it went, and what waits for it."""
    world = service.engine.world
    waiting = {
        "follow": max(0, service.store.last_seq() - world.seq),
        "catalog": len(world.unplaced),
        "learn": len(world.live.pending),
    }
    return {
        "jobs": [
            {**job.as_dict(), "waiting": waiting.get(job.name, 0)}
            for job in list(service.jobs.values())
        ]
    }


def evaluations(folder: Path) -> dict[str, Json]:
    """Give the reports that lie in a folder, the latest first."""
    found: list[Json] = []
    files = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files:
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        try:
            report = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            log.warn("a report cannot be read", report=path.stem, error=type(error).__name__)
            continue
        found.append({"name": path.stem, "at": at, "report": report})
    hint = f"make one with: longtale evaluate --json > {EVALUATIONS}/NAME.json"
    return {"evaluations": found, **({} if found else {"hint": hint})}


def drift(service: Service) -> dict[str, Json]:
    """Compare the events of the last hour and day with those of the time before."""
    live = service.engine.world.live
    if not live.has_times:
        return {"windows": {}, "hint": "the model's data have an order of events and no times"}
    events = events_of(live)
    now = time.time_ns() // 1000
    kinds = live.dataset.kinds
    return {
        "windows": {name: window.compared(events, kinds, now) for name, window in _WINDOWS.items()}
    }


def changes(service: Service, after: int, limit: int, key: str | None) -> Mapping[str, Json]:
    """Give what was changed with keys, the oldest first.

    Args:
        service: where.
        after: number of the log behind which to begin.
        limit: how many.
        key: id of the key that is meant; None is all keys. Of one key the latest changes are given.
    """
    if key is not None:
        found = service.store.recent(RecordKind.AUDIT, key, limit)
        return {"changes": [audit.told(stored) for stored in found], "next": None}
    found = service.store.read(after, limit, kinds=[RecordKind.AUDIT])
    following = found[-1].seq if len(found) == limit else None
    return {"changes": [audit.told(stored) for stored in found], "next": following}

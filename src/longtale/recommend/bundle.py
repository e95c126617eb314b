"""A trained recommender as one folder: arrays, tables, text encoder and manifest; no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from longtale.blend.convex import BlendSettings
from longtale.blend.gate import GatedBlend
from longtale.blend.hybrid import Hybrid
from longtale.data.catalog import Catalog, TextField
from longtale.data.dataset import Dataset
from longtale.data.impressions import Impressions
from longtale.data.interactions import Histories, Interactions
from longtale.data.tags import Tags
from longtale.data.vocabulary import Vocabulary
from longtale.encode.encoder import load_encoder
from longtale.encode.prompt import PROMPT_VERSION, PromptSettings
from longtale.encode.whiten import Whitening
from longtale.errors import BundleFormatError
from longtale.rank.ranker import Ranker
from longtale.recommend.assemble import restore_retriever
from longtale.recommend.folder import alone, reading, seal, verified, writing
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.pipeline import Recommender
from longtale.recommend.searching import kept_index
from longtale.recommend.settings import SlateSettings
from longtale.schema import Role
from longtale.search.settings import SearchSettings

_ID = "longtale_id"
"""Name of the id column in the tables of a bundle; no attribute may have it."""


def save(recommender: Recommender, folder: Path | str) -> None:
    """Write a recommender; what stood in the folder is replaced only when all went well.

    Raises:
        BundleError: the folder exists and is no bundle.
    """
    with alone(Path(folder)):
        _save(recommender, Path(folder))


def load(folder: Path | str) -> Recommender:
    """Read a recommender after checking every byte; needs neither torch nor transformers.

    Raises:
        BundleFormatError: the folder is no bundle, or a newer Longtale wrote it.
        BundleCorruptError: a part is missing, was added or changed, or leaves the folder.
    """
    with reading(Path(folder)):
        return _load(Path(folder))


def forget(folder: Path | str, user: str) -> bool:
    """Write a bundle again without what a user did, said and is called; say whether it knew them.

    What models learned from all users together stays until the next training.

    Raises:
        BundleError: as `load` does.
    """
    folder = Path(folder)
    with alone(folder):  # or what one forgets comes back with what another writes
        recommender = _load(folder)
        row = int(recommender.dataset.users.rows([user])[0])
        if row < 0:
            return False
        _save(recommender.without_user(row), folder)
    return True


def _save(recommender: Recommender, folder: Path) -> None:
    with writing(folder) as draft:
        _write_dataset(recommender.dataset, draft)
        vectors = recommender.item_vectors
        _write_arrays({"vectors": vectors.vectors, **vectors.whitening.state()}, draft / "vectors")
        vectors.encoder.save(draft / "encoder")
        for retriever in recommender.hybrid.retrievers:
            _write_arrays(retriever.state(), draft / "retrievers" / retriever.name)
        _write_arrays(recommender.hybrid.blender.state(), draft / "blend")
        if recommender.ranker is not None:
            _write_arrays(recommender.ranker.state(), draft / "ranker")
        seal(draft, _facts(recommender))


def _load(folder: Path) -> Recommender:
    facts = verified(folder)
    try:
        return _recommender(folder, facts)
    except KeyError as error:
        raise BundleFormatError(
            f"the manifest of bundle '{folder}' lacks {error}, which this Longtale needs; "
            f"Longtale {facts.get('longtale')} wrote it: train again"
        ) from None


def _recommender(folder: Path, facts: Mapping[str, Any]) -> Recommender:
    retrievers = tuple(
        restore_retriever(part["name"], part["settings"], load_file(_retriever(folder, part)))
        for part in facts["retrievers"]
    )
    blender = GatedBlend.restore(
        BlendSettings.parse(facts["blend"]), load_file(folder / "blend.safetensors")
    )
    slate_settings = SlateSettings.parse(facts["slate"])
    ranker = None
    if facts["has_ranker"]:
        ranker = Ranker.restore(slate_settings.ranker, load_file(folder / "ranker.safetensors"))
    arrays = load_file(folder / "vectors.safetensors")
    vectors = arrays.pop("vectors")
    item_vectors = ItemVectors(
        load_encoder(folder / "encoder"),
        PromptSettings.parse(facts["prompt"]),
        Whitening.restore(arrays),
        vectors,
    )
    return Recommender(
        dataset=_read_dataset(folder, facts),
        item_vectors=item_vectors,
        hybrid=Hybrid(retrievers, blender),
        version=facts["version"],
        slate_settings=slate_settings,
        ranker=ranker,
        log_seq=facts.get("log_seq", 0),
        search_index=kept_index(item_vectors, SearchSettings.parse(facts.get("search", {}))),
    )


def _facts(recommender: Recommender) -> dict[str, Any]:
    dataset, vectors = recommender.dataset, recommender.item_vectors
    return {
        "longtale": version("longtale"),
        "version": recommender.version,
        "log_seq": recommender.log_seq,
        "saved_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprints": {"dataset": dataset.fingerprint, "encoder": vectors.encoder.fingerprint},
        "n_users": dataset.n_users,
        "n_items": dataset.n_items,
        "n_interactions": len(dataset.interactions),
        "kinds": list(dataset.kinds),
        "profile_texts": list(dataset.profile_texts),
        "text_fields": [[field.name, field.role.value] for field in dataset.catalog.text_fields],
        "prompt": vectors.prompt.model_dump(mode="json"),
        "prompt_version": PROMPT_VERSION,
        "blend": recommender.hybrid.blender.settings.model_dump(mode="json"),
        "slate": recommender.slate_settings.model_dump(mode="json"),
        "search": recommender.search_index.settings.model_dump(mode="json"),
        "has_ranker": recommender.ranker is not None,
        "retrievers": [
            {"name": retriever.name, "settings": retriever.settings.model_dump(mode="json")}
            for retriever in recommender.hybrid.retrievers
        ],
    }


def _retriever(folder: Path, part: Mapping[str, Any]) -> Path:
    return folder / "retrievers" / f"{part['name']}.safetensors"


def _write_arrays(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(whole, path.with_suffix(".safetensors"))


def _write_dataset(dataset: Dataset, folder: Path) -> None:
    tables = {
        "catalog": (dataset.items, dataset.catalog.frame),
        "users": (dataset.users, dataset.profiles),
    }
    for name, (vocabulary, attributes) in tables.items():
        table = vocabulary.ids.alias(_ID).to_frame().hstack(attributes)
        table.write_parquet(folder / f"{name}.parquet")
    for name in ("interactions", "dismissals"):
        events: Interactions = getattr(dataset, name)
        arrays: dict[str, NDArray[np.generic]] = {
            "offsets": events.histories.offsets,
            "items": events.items,
            "weights": events.histories.weights,
            "kinds": events.kinds,
            "values": events.values,
        }
        if events.times is not None:
            arrays["times"] = events.times
        _write_arrays(arrays, folder / name)


def _read_dataset(folder: Path, facts: Mapping[str, Any]) -> Dataset:
    items = pl.read_parquet(folder / "catalog.parquet")
    users = pl.read_parquet(folder / "users.parquet")
    fields = tuple(TextField(name, Role(role)) for name, role in facts["text_fields"])
    return Dataset(
        users=Vocabulary(users[_ID], "user"),
        catalog=Catalog(Vocabulary(items[_ID], "item"), items.drop(_ID), fields),
        interactions=_read_events(folder / "interactions.safetensors"),
        dismissals=_read_events(folder / "dismissals.safetensors"),
        kinds=tuple(facts["kinds"]),
        impressions=Impressions.none(),
        profiles=users.drop(_ID),
        profile_texts=tuple(facts["profile_texts"]),
        tags=Tags.none(),
    )


def _read_events(path: Path) -> Interactions:
    arrays = load_file(path)
    histories = Histories(
        arrays["offsets"], arrays["items"], arrays["weights"], arrays.get("times")
    )
    return Interactions(histories, arrays["kinds"], arrays["values"])

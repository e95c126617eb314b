"""Longtale recommends and searches catalogues that have words in them.

Example:
    >>> import longtale
    >>> dataset = longtale.read_movielens()
    >>> dataset.n_users, dataset.n_items
    (610, 9742)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longtale.data.dataset import Dataset
    from longtale.data.splits.split import ProtocolName
    from longtale.errors import LongtaleError
    from longtale.evaluate.report import Report
    from longtale.recommend.answer import Answer
    from longtale.recommend.bundle import load, save
    from longtale.recommend.pipeline import Recommender
    from longtale.recommend.project import Project, read_movielens
    from longtale.recommend.settings import LongtaleSettings, Quality
    from longtale.recommend.train import measure, train
    from longtale.serve.client import AsyncClient, Client, RefusedError

__version__ = "0.1.0"

__all__ = [
    "Project",
    "read_movielens",
    "train",
    "measure",
    "save",
    "load",
    "Dataset",
    "Recommender",
    "Answer",
    "Report",
    "LongtaleSettings",
    "Quality",
    "ProtocolName",
    "LongtaleError",
    "Client",
    "AsyncClient",
    "RefusedError",
]

# Imported when first asked for, so that the command line starts at once.
_HOMES = {
    "Dataset": "data.dataset",
    "ProtocolName": "data.splits.split",
    "LongtaleError": "errors",
    "Report": "evaluate.report",
    "Answer": "recommend.answer",
    "load": "recommend.bundle",
    "save": "recommend.bundle",
    "Recommender": "recommend.pipeline",
    "Project": "recommend.project",
    "read_movielens": "recommend.project",
    "LongtaleSettings": "recommend.settings",
    "Quality": "recommend.settings",
    "measure": "recommend.train",
    "train": "recommend.train",
    "AsyncClient": "serve.client",
    "Client": "serve.client",
    "RefusedError": "serve.client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'longtale' has no attribute '{name}'")
    return getattr(import_module(f"longtale.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

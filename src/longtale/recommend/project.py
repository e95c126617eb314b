"""A project: a settings file, the data it names, and the bundle beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from longtale.data.dataset import Dataset
from longtale.data.intake.prepare import Intake, read_dataset
from longtale.data.movielens import read_movielens_small
from longtale.log import stage
from longtale.recommend.settings import LongtaleSettings

SETTINGS_FILE = "longtale.toml"


@dataclass(frozen=True)
class Project:
    """Settings and the folder that their paths are relative to."""

    settings: LongtaleSettings
    folder: Path

    @classmethod
    def open(cls, path: Path | str, *, changes: Mapping[str, str] | None = None) -> Project:
        """Read a project from its settings file or the folder that holds it.

        Args:
            path: the file or folder. A language model that is named by a folder lies beside it.
            changes: values by dotted key that stand above the file's.

        Raises:
            SettingsError: there is no such file, or it holds what is not allowed.
        """
        path = Path(path)
        file = path / SETTINGS_FILE if path.is_dir() else path
        settings = LongtaleSettings.read(file, changes=changes)
        return cls(_with_model_beside(settings, file.parent), file.parent)

    @property
    def bundle(self) -> Path:
        """Folder of the trained recommender."""
        return self.folder / self.settings.bundle

    def intake(self) -> Intake:
        """Read and check the data: the dataset and what was found on the way.

        Raises:
            DataError: the data cannot be read, or too many rows are bad.
        """
        with stage("read data") as found:
            intake = read_dataset(self.settings.data, self.folder)
            found.update(users=intake.dataset.n_users, items=intake.dataset.n_items)
            found.update(interactions=len(intake.dataset.interactions))
        return intake

    def dataset(self) -> Dataset:
        """Read the data; as `intake`, without the account."""
        return self.intake().dataset


def _with_model_beside(settings: LongtaleSettings, folder: Path) -> LongtaleSettings:
    beside = folder / settings.encode.model
    if not beside.is_dir():
        return settings
    encode = settings.encode.model_copy(update={"model": str(beside)})
    return settings.model_copy(update={"encode": encode})


def read_movielens() -> Dataset:
    """Read the bundled MovieLens latest-small: 610 users, 9,742 films, 100,836 ratings."""
    return read_movielens_small().dataset

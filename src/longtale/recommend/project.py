"""A project: a settings file, the data it names, and the bundle beside it."""

from __future__ import annotations

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
    def open(cls, path: Path | str) -> Project:
        """Read a project from its settings file or the folder that holds it.

        Raises:
            SettingsError: there is no such file, or it holds what is not allowed.
        """
        path = Path(path)
        file = path / SETTINGS_FILE if path.is_dir() else path
        return cls(LongtaleSettings.read(file), file.parent)

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


def read_movielens() -> Dataset:
    """Read the bundled MovieLens latest-small: 610 users, 9,742 films, 100,836 ratings."""
    return read_movielens_small().dataset

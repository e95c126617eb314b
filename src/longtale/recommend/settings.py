"""All settings of a project in one tree: the sections of `longtale.toml`."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from longtale.blend.convex import BlendSettings
from longtale.data.intake.mapping import DataSettings
from longtale.data.splits.split import SplitSettings
from longtale.encode.encoder import EncoderSettings
from longtale.evaluate.measures import EvaluateSettings
from longtale.models.als import ALSSettings
from longtale.models.ease import EASESettings
from longtale.models.item_knn import ItemKNNSettings
from longtale.models.popular import PopularSettings, RisingSettings
from longtale.models.semantic import SemanticSettings
from longtale.models.user_knn import UserKNNSettings
from longtale.settings import Settings

RetrieverName = Literal["popular", "rising", "item_knn", "user_knn", "ease", "als", "semantic"]


_SLOW = ("user_knn", "als")


class Quality(StrEnum):
    """How much time to spend for how much quality."""

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"


class ModelsSettings(Settings):
    """Which retrievers take part, and how each of them is made."""

    use: tuple[RetrieverName, ...] = Field(
        default=("popular", "rising", "item_knn", "user_knn", "ease", "als", "semantic"),
        min_length=1,
    )
    """The retrievers that take part; `rising` needs times and is left out where there are none."""
    refine: bool = False
    """Try some values of each retriever's main settings on the validation cut, keep the best."""
    popular: PopularSettings = PopularSettings()
    """What most people chose."""
    rising: RisingSettings = RisingSettings()
    """What people choose at the moment."""
    item_knn: ItemKNNSettings = ItemKNNSettings()
    """Neighbours of the items in the history."""
    user_knn: UserKNNSettings = UserKNNSettings()
    """What the nearest users chose."""
    ease: EASESettings = EASESettings()
    """Linear item-item model in closed form."""
    als: ALSSettings = ALSSettings()
    """Matrix factorisation for implicit feedback (iALS)."""
    semantic: SemanticSettings = SemanticSettings()
    """Meaning: attention over the history's item vectors, and the user's own words."""


class LongtaleSettings(Settings):
    """All that is configured, section by section."""

    data: DataSettings = DataSettings()
    """Where the data are and what their columns mean."""
    encode: EncoderSettings = EncoderSettings()
    """How text becomes vectors."""
    models: ModelsSettings = ModelsSettings()
    """The retrievers."""
    blend: BlendSettings = BlendSettings()
    """How their scores become one list."""
    split: SplitSettings = SplitSettings()
    """How the data are cut for validation and test."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """What is measured."""
    bundle: str = "bundle"
    """Folder of the trained recommender, beside the settings file."""

    def for_quality(self, quality: Quality) -> LongtaleSettings:
        """Give the settings of a preset: fast leaves slow retrievers out, best refines them."""
        quick = tuple(name for name in self.models.use if name not in _SLOW)
        changes: dict[Quality, dict[str, object]] = {
            Quality.FAST: {"use": quick},
            Quality.BALANCED: {},
            Quality.BEST: {"refine": True},
        }
        models = self.models.model_copy(update=changes[quality])
        return self.model_copy(update={"models": models})

"""All settings of a project in one tree: the sections of `longtale.toml`."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args

from pydantic import Field

from longtale.blend.convex import BlendSettings
from longtale.data.intake.mapping import DataSettings
from longtale.data.splits.split import SplitSettings
from longtale.encode.encoder import EncoderSettings
from longtale.evaluate.measures import EvaluateSettings
from longtale.models.als import ALSSettings
from longtale.models.cold_map import ColdMapSettings
from longtale.models.ease import EASESettings
from longtale.models.item_knn import ItemKNNSettings
from longtale.models.popular import PopularSettings, RisingSettings
from longtale.models.semantic import SemanticSettings
from longtale.models.sequence.settings import SequenceSettings
from longtale.models.sequence_linear import SequenceLinearSettings
from longtale.models.text_ease import TextEASESettings
from longtale.models.user_knn import UserKNNSettings
from longtale.rank.diversity import MMRSettings
from longtale.rank.explore import EpsilonGreedySettings
from longtale.rank.lambdamart import RankerSettings
from longtale.rank.tail import LongTailSettings
from longtale.recommend.language_settings import LanguageSettings
from longtale.recommend.service_settings import ServeSettings
from longtale.search.settings import SearchSettings
from longtale.settings import Settings

RetrieverName = Literal[
    "popular",
    "rising",
    "item_knn",
    "user_knn",
    "ease",
    "text_ease",
    "sequence_linear",
    "als",
    "cold_map",
    "semantic",
    "sequence",
    "sequence_text",
]
_QUICK: tuple[RetrieverName, ...] = (
    "popular",
    "rising",
    "item_knn",
    "ease",
    "sequence_linear",
    "semantic",
)
_BEST: tuple[RetrieverName, ...] = get_args(RetrieverName)
_BALANCED = tuple(name for name in _BEST if name not in ("sequence", "sequence_text"))


class Quality(StrEnum):
    """How much time to spend for how much quality."""

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"


class ModelsSettings(Settings):
    """Which retrievers take part, and how each of them is made."""

    use: tuple[RetrieverName, ...] = Field(default=_BALANCED, min_length=1)
    """The retrievers that take part; where this is not given, the quality decides. `rising` needs
    times and is left out where there are none."""
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
    text_ease: TextEASESettings = TextEASESettings()
    """Linear item-item model that leans on the items' words."""
    sequence_linear: SequenceLinearSettings = SequenceLinearSettings()
    """Linear model from what came before to what came next."""
    als: ALSSettings = ALSSettings()
    """Matrix factorisation for implicit feedback (iALS)."""
    cold_map: ColdMapSettings = ColdMapSettings()
    """A map from words to behaviour, for items that nobody has met."""
    sequence: SequenceSettings = SequenceSettings()
    """Transformer over the history; items are what people did with them. Needs the extra `text`."""
    sequence_text: SequenceSettings = SequenceSettings(items="both")
    """The same, with items that are also their words. Needs the extra `text`."""
    semantic: SemanticSettings = SemanticSettings()
    """Meaning: attention over the history's item vectors, and the user's own words."""


class SlateSettings(Settings):
    """How scores become a slate; what is turned from request to request is a dial of the answer."""

    whole_up_to: int = Field(default=30_000, ge=0)
    """Catalogues of at most so many items are scored whole for each request; of larger ones a
    shortlist is."""
    learned: bool = True
    """Learn an order over the best of all retrievers; it stays only where it surely wins."""
    ranker: RankerSettings = RankerSettings()
    """The learned order (LambdaMART)."""
    diversity: MMRSettings = MMRSettings()
    """What the diversity dial does."""
    long_tail: LongTailSettings = LongTailSettings()
    """What the long-tail dial does."""
    explore: EpsilonGreedySettings = EpsilonGreedySettings()
    """Which places are lent where a request explores."""


class LongtaleSettings(Settings):
    """All that is configured, section by section."""

    data: DataSettings = DataSettings()
    """Where the data are and what their columns mean."""
    encode: EncoderSettings = EncoderSettings()
    """How text becomes vectors."""
    language: LanguageSettings = LanguageSettings()
    """How the language model is made better."""
    models: ModelsSettings = ModelsSettings()
    """The retrievers."""
    blend: BlendSettings = BlendSettings()
    """How their scores become one list."""
    slate: SlateSettings = SlateSettings()
    """How they become a slate."""
    search: SearchSettings = SearchSettings()
    """How searches find; a bundle holds what it was trained with."""
    split: SplitSettings = SplitSettings()
    """How the data are cut for validation and test."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """What is measured."""
    serve: ServeSettings = ServeSettings()
    """How the service listens and what it allows."""
    bundle: str = "bundle"
    """Folder of the trained recommender, beside the settings file."""

    def for_quality(self, quality: Quality) -> LongtaleSettings:
        """Give the settings of a preset, without going over what was set by hand.

        Fast takes the quickest retrievers and learns no order; balanced all that need no training
        by gradient; best trains the sequence models too.
        """
        use = {Quality.FAST: _QUICK, Quality.BALANCED: _BALANCED, Quality.BEST: _BEST}[quality]
        models = self.models
        if "use" not in models.model_fields_set:
            models = models.model_copy(update={"use": use})
        slate = self.slate
        if quality is Quality.FAST and "learned" not in slate.model_fields_set:
            slate = slate.model_copy(update={"learned": False})
        return self.model_copy(update={"models": models, "slate": slate})

"""How a language model is made better: section `language`."""

from __future__ import annotations

from longtale.language.contrastive.settings import ContrastiveSettings
from longtale.language.pretrain.settings import PretrainSettings
from longtale.language.shrink.settings import CompressSettings, DistilSettings
from longtale.settings import Settings


class LanguageSettings(Settings):
    """What the workshop does with the language model."""

    out: str = "encoders"
    """Folder beside the settings file for the models that are made."""
    pretrain: PretrainSettings = PretrainSettings()
    """Learning from texts alone."""
    finetune: ContrastiveSettings = ContrastiveSettings()
    """Learning which items go together."""
    distil: DistilSettings = DistilSettings()
    """Teaching a smaller model what it says."""
    compress: CompressSettings = CompressSettings()
    """Smaller variants that need no training."""

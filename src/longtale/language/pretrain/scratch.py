"""A tiny model that knows nothing yet, with words of its own; needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from longtale.language.model import open_model, save_model, without_bars
from longtale.language.pretrain.settings import ScratchSettings

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_HEAD_WIDTH = 32  # that of MiniLM
_LONGEST = 512  # tokens


def write_new_model(folder: Path, texts: Sequence[str], settings: ScratchSettings) -> Path:
    """Write a BERT (Devlin et al. 2018, arXiv:1810.04805) with random weights.

    Its tokens are those into which WordPiece cuts the texts; vectors are the mean of all tokens.
    The weights are drawn by torch's own dice. One that is there stays, so that a training that was
    stopped goes on with the same words: equally frequent pieces are chosen by chance.

    Returns:
        the folder of the encoder.
    """
    encoder = folder / "encoder"
    if encoder.is_dir():
        return encoder
    tokenizer = _tokenizer(texts, settings.n_words)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.width // _HEAD_WIDTH,
        intermediate_size=4 * settings.width,
        max_position_embeddings=_LONGEST,
    )
    plain = folder / "plain"
    with without_bars():
        BertModel(config).save_pretrained(str(plain))
    tokenizer.save_pretrained(str(plain))
    save_model(open_model(plain), folder / "part")
    return (folder / "part").replace(encoder)


def _tokenizer(texts: Sequence[str], n_words: int) -> PreTrainedTokenizerFast:
    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer()
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=n_words, special_tokens=list(_SPECIAL), show_progress=False
        ),
    )
    ends = ((name, _SPECIAL.index(name)) for name in ("[SEP]", "[CLS]"))  # they come first
    pieces.post_processor = processors.BertProcessing(*ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=_LONGEST,
    )

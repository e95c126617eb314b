"""Which words moved a score: integrated gradients of captum; needs torch and captum."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from longtale.arrays import Floats
from longtale.errors import DataError, EncoderError, MissingExtraError
from longtale.language.model import transformer_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TOLERANCE = 0.02
"""How far the shares may miss the score that they explain before they count as wrong."""
_FEWEST_STEPS, _MOST_STEPS = 32, 512
_AT_ONCE = 32  # bounds the memory of the texts between empty and whole
_FOR, _AGAINST = "0, 114, 178", "213, 94, 0"  # blue and vermilion: Okabe and Ito, 2008


class Turned(Protocol):
    """What unit vectors go through before they are compared: x -> (x - mean) projection."""

    @property
    def mean(self) -> Floats:
        """float32 (D,)."""
        ...

    @property
    def projection(self) -> Floats:
        """float32 (D, R)."""
        ...


class WordShare(NamedTuple):
    """A word of a text, and what it added to the score."""

    word: str
    share: float


@dataclass(frozen=True)
class TextAttribution:
    """What each word of a text adds to its cosine with a direction.

    Args:
        words: in the order of the text, as written in it; those behind the cut are not there.
        score: cosine of the text's vector with the direction.
        base: cosine of the empty text of the same length; shares sum to score less base.
        missed: score less base less the sum of shares: what the steps of the integral miss.
    """

    words: tuple[WordShare, ...]
    score: float
    base: float
    missed: float

    def strongest(self, n: int) -> tuple[WordShare, ...]:
        """Give the n words that moved the score most, either way, the strongest first."""
        return tuple(sorted(self.words, key=lambda each: -abs(each.share))[:n])


def attribute(
    model: SentenceTransformer, text: str, towards: Floats, *, turned: Turned | None = None
) -> TextAttribution:
    """Say which words of a text bring its vector near a direction, and which away from it.

    Integrated gradients (Sundararajan, Taly and Yan 2017, arXiv:1703.01365) on the way from a text
    of the same length whose words are all padding to the text, in the space of word vectors:

        share_t = Σ_d (E_td - E'_td) · ∫ dcos / dE_td (E' + a (E - E')) da,      a from 0 to 1

    Parts of a word count together. The shares sum to the difference of the two cosines; where the
    steps of the integral miss it by more than `TOLERANCE`, they are doubled.

    Args:
        model: an encoder with a tokenizer that knows where its tokens stand in the text.
        text: cut as the model cuts it.
        towards: float32 (D,), such as the vector of another text or the mean of a history; of any
            length. With `turned` float32 (R,).
        turned: what the text's vector goes through before it is compared, such as a whitening.

    Raises:
        DataError: the text has no words, or the direction has another width or is zero.
        EncoderError: the shares do not add up, or the tokenizer is a slow one.
        MissingExtraError: captum is not installed.

    Example:
        >>> found = attribute(model, "a film of the sea", model.encode("ocean"))  # doctest: +SKIP
        >>> found.strongest(1)  # doctest: +SKIP
        (WordShare(word='sea', share=0.31),)
    """
    read = _read(model, text)
    cosine = _Cosine.of(model, towards, turned)
    with torch.no_grad():
        score, base = (float(cosine(ids, read.mask)) for ids in (read.ids, read.base))
    shares, n_steps = np.full(read.ids.shape[1], np.inf), _FEWEST_STEPS
    missed = np.inf
    while abs(missed) > TOLERANCE and n_steps <= _MOST_STEPS:
        shares = _integrated(model, cosine, read, n_steps)
        missed, n_steps = score - base - float(shares.sum()), 2 * n_steps
    if abs(missed) > TOLERANCE:
        raise EncoderError(
            f"the words' shares sum to {shares.sum():.3f}, but the score moved by "
            f"{score - base:.3f}; this model's answer changes too abruptly to be explained so"
        )
    return TextAttribution(_by_word(text, read, shares), score, base, missed)


def as_html(attribution: TextAttribution) -> str:
    """Draw the words with the colour of what they did: blue brought nearer, orange away.

    The number behind a word is shown when it is pointed at, so that colour is not all there is.

    Returns:
        a paragraph of HTML in which the text is escaped.
    """
    largest = max((abs(each.share) for each in attribution.words), default=0.0)
    spans = []
    for word, share in attribution.words:
        colour = _FOR if share > 0 else _AGAINST
        depth = 0.0 if largest == 0 else 0.75 * abs(share) / largest
        spans.append(
            f'<span title="{share:+.3f}" style="background: rgba({colour}, {depth:.2f})">'
            f"{html.escape(word)}</span>"
        )
    return f'<p class="attribution" title="cosine {attribution.score:.3f}">{" ".join(spans)}</p>'


@dataclass(frozen=True)
class _Read:
    """A text as token ids, the one of padding, and which of its signs each token stands for."""

    ids: Tensor
    base: Tensor
    mask: Tensor
    words: Sequence[int | None]
    spans: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class _Cosine:
    """The cosine of texts with a direction, as captum calls it."""

    model: SentenceTransformer
    direction: Tensor
    turn: tuple[Tensor, Tensor] | None

    @classmethod
    def of(cls, model: SentenceTransformer, towards: Floats, turned: Turned | None) -> _Cosine:
        own = model.get_embedding_dimension()
        width = own if turned is None else turned.projection.shape[1]
        if towards.shape != (width,) or not towards.any():
            raise DataError(
                f"the direction has the shape {towards.shape} and length "
                f"{float(np.linalg.norm(towards)):.2f}; expected ({width},) and not 0"
            )
        if turned is None:
            return cls(model, _tensor(towards, model), None)
        if len(turned.mean) != own:
            raise DataError(
                f"the model's vectors have {own} numbers, but {len(turned.mean)} are turned; "
                "give what was fitted on vectors of this model"
            )
        turn = _tensor(turned.mean, model), _tensor(turned.projection, model)
        return cls(model, _tensor(towards, model), turn)

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        features = {"input_ids": ids, "attention_mask": mask.expand_as(ids)}
        vectors = self.model(features)["sentence_embedding"]
        if self.turn is not None:
            mean, projection = self.turn
            vectors = (functional.normalize(vectors, dim=1) - mean) @ projection
        return functional.cosine_similarity(vectors, self.direction[None], dim=1)


def _integrated(
    model: SentenceTransformer, cosine: _Cosine, read: _Read, n_steps: int
) -> np.ndarray:
    """Give each token's share, float64 (T,)."""
    try:
        from captum.attr import (  # type: ignore[import-untyped, unused-ignore]
            LayerIntegratedGradients,
        )
    except ImportError:
        raise MissingExtraError("captum", extra="language", purpose="attribution") from None
    transformer: Any = transformer_of(model)
    gradients = LayerIntegratedGradients(cosine, transformer.get_input_embeddings())
    found = gradients.attribute(
        read.ids,
        baselines=read.base,
        additional_forward_args=(read.mask,),
        n_steps=n_steps,
        internal_batch_size=_AT_ONCE,
    )
    shares: np.ndarray = found.sum(dim=-1)[0].detach().cpu().double().numpy()
    return shares


def _read(model: SentenceTransformer, text: str) -> _Read:
    tokenizer: Any = model.tokenizer
    if not tokenizer.is_fast:
        raise EncoderError(
            f"a {type(tokenizer).__name__} does not say where its tokens stand in the text; open "
            "the model with a fast tokenizer"
        )
    cut = model.max_seq_length
    told = tokenizer(text, truncation=cut is not None, max_length=cut, return_offsets_mapping=True)
    words = told.word_ids(0)
    if all(word is None for word in words):
        raise DataError(f"the text {text[:40]!r} has no words to explain a score by")
    padding = tokenizer.pad_token_id
    ids = torch.tensor([told["input_ids"]], device=model.device)
    inside = torch.tensor([[word is not None for word in words]], device=model.device)
    base = torch.where(inside, torch.full_like(ids, padding), ids)
    return _Read(ids, base, torch.ones_like(ids), words, told["offset_mapping"])


def _tensor(values: Floats, model: SentenceTransformer) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32)).to(model.device)


def _by_word(text: str, read: _Read, shares: np.ndarray) -> tuple[WordShare, ...]:
    """Add up the tokens of each word; signs that touch a word belong to it."""
    found: list[tuple[int, int, float]] = []
    before: int | None = None
    for word, (begin, end), share in zip(read.words, read.spans, shares, strict=True):
        if word is None:
            continue
        start = end - len(text[begin:end].lstrip())  # some tokens begin with the space before them
        touches = bool(found) and start == found[-1][1] and start > 0
        if word == before or (touches and not text[start - 1 : start + 1].isalnum()):
            first, _, sum_of = found.pop()
            found.append((first, end, sum_of + float(share)))
        else:
            found.append((start, end, float(share)))
        before = word
    return tuple(WordShare(text[first:last], share) for first, last, share in found)

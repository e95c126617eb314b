"""Which words of an item bring its meaning near to what was asked; needs torch and captum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from longtale.encode.model_card import read_prompts
from longtale.errors import DataError, EncoderError, MissingExtraError, QueryError
from longtale.models.semantic import SemanticRetriever
from longtale.recommend.item_vectors import texts_of
from longtale.recommend.pipeline import Recommender
from longtale.recommend.question import Question

if TYPE_CHECKING:
    from longtale.language.attribution import TextAttribution

_ALIKE = 0.98
"""Least cosine of the item's vector in a bundle and that of the model that is asked."""


def word_shares(
    recommender: Recommender, question: Question, item: str, folder: Path
) -> TextAttribution:
    """Say which words of an item's text move the score of the semantic retriever, and how far.

    Args:
        recommender: what answered.
        question: what was asked.
        item: id of the item.
        folder: the language model that read the items, with its weights.

    Raises:
        DataError: the item has no text.
        EncoderError: it is no language model, or another one than the items were read by.
        MissingExtraError: the extra `language` is not installed.
        QueryError: what was asked says nothing that meaning could be compared with.
        UnknownIdError: no such item.
    """
    try:
        import sentence_transformers  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            str(error.name), extra="language", purpose="telling which words moved a score"
        ) from None
    from longtale.language.attribution import attribute
    from longtale.language.model import encoded, open_model

    row = recommender.catalog.items.row(item)
    vectors = recommender.item_vectors
    (text,) = texts_of(recommender.catalog.take([row]), vectors.prompt)
    if not text:
        raise DataError(f"item '{item}' has no text, so that no word can have moved its score")
    direction = _semantic(recommender).direction(question.queries, row)
    if direction is None or not direction.any():
        raise QueryError(
            "nothing was asked that meaning could be compared with; give a user with a history, "
            "a history, or words"
        )
    text = read_prompts(folder)[1] + text
    model = open_model(folder)
    width = len(vectors.whitening.mean)
    if model.get_embedding_dimension() != width:
        raise EncoderError(
            f"'{folder}' gives {model.get_embedding_dimension()} numbers, and the items' vectors "
            f"have {width}; words are told only of whole vectors (encode.dim is not set)"
        )
    own = vectors.whitening.apply(encoded(model, [text]))[0]
    likeness = float(own @ vectors.vectors[row])
    if likeness < _ALIKE:
        raise EncoderError(
            f"'{folder}' reads item '{item}' otherwise than the model of the bundle (cosine "
            f"{likeness:.2f}); train again with this model, or name that of the bundle"
        )
    return attribute(model.eval(), text, direction, turned=vectors.whitening)


def _semantic(recommender: Recommender) -> SemanticRetriever:
    for retriever in recommender.hybrid.retrievers:
        if isinstance(retriever, SemanticRetriever):
            return retriever
    raise QueryError(
        "the retriever semantic is not part of this bundle; name it in models.use and train again"
    )

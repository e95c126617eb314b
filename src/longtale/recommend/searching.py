"""Search: words and meaning for everybody, taste for whom it is known.

A query is freed from misspellings, scored by words and by meaning for the whole catalogue, and the
best of it is put in order by relevance and taste. What is read off the catalogue for it is made
when the first search comes, and from then on only what changes is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import cast

import numpy as np

from longtale.arrays import Floats, Mask, top_k
from longtale.blend.calibrate import standardised
from longtale.blend.hybrid import Hybrid
from longtale.contracts import Literate
from longtale.data.candidates import Candidates, Slate
from longtale.data.query import Queries
from longtale.errors import QueryError
from longtale.explain.codes import BY_WORDS
from longtale.explain.phrases import ENGLISH
from longtale.log import warn
from longtale.models.semantic import SemanticRetriever
from longtale.recommend.answer import Answer, AnswerItem, Json
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.present import FILLS, Presenter, Stages
from longtale.search.fusion import followed, fused
from longtale.search.index import KeptIndex, SearchIndex
from longtale.search.intent import parse_wish
from longtale.search.personal import taste
from longtale.search.settings import SearchSettings
from longtale.search.spelling import Spelled, is_function_word

LEXICAL, MEANING, TASTE = "lexical", "meaning", "taste"
_GROUNDS = (SemanticRetriever.name, SemanticRetriever.name, TASTE)
"""What the parts of a score are to those who give reasons: both of words, or of taste."""
_IN_WORDS = replace(Queries.of([[]]), text_vectors=np.ones((1, 1), dtype=np.float32))


def kept_index(item_vectors: ItemVectors, settings: SearchSettings) -> KeptIndex:
    """Give where a recommender keeps what searches read, with the words that its encoder knows."""
    encoder = item_vectors.encoder
    return KeptIndex(settings, encoder.words if isinstance(encoder, Literate) else tuple)


@dataclass(frozen=True)
class Asked:
    """What is looked for, and how.

    Args:
        text: in words.
        personal: how much taste weighs beside the words, 0 to 1.
        correct: whether words that no item has are replaced by likely ones.
    """

    text: str
    personal: float = 0.3
    correct: bool = True

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise QueryError("the words to search for are blank; say what you look for")
        if not 0 <= self.personal <= 1:
            raise QueryError(f"personal is {self.personal}; it must be from 0 (words only) to 1")


@dataclass(frozen=True)
class Hit(AnswerItem):
    """One place of what was found."""

    matched: tuple[str, ...] = ()
    """Those of the words searched for that stand in the item."""
    taste_share: float = 0.0
    """Share of taste in all that was added to and taken from the score, 0 to 1."""


@dataclass(frozen=True)
class Found(Answer):
    """What a search found, and what was searched for."""

    items: tuple[Hit, ...] = ()
    searched_for: str = ""
    """The text that was searched for; another one than was asked where words were replaced."""
    replaced: tuple[tuple[str, str], ...] = ()
    """Words that no item has, each with the one that was searched for instead of it."""

    def as_dict(self) -> dict[str, Json]:
        """Give the answer as plain values, ready for JSON."""
        items = cast("list[dict[str, Json]]", super().as_dict()["items"])
        hits: list[Json] = [
            {**item, "matched": list(hit.matched), "taste_share": round(hit.taste_share, 4)}
            for item, hit in zip(items, self.items, strict=True)
        ]
        replaced: list[Json] = [{"word": word, "by": other} for word, other in self.replaced]
        more: dict[str, Json] = {"searched_for": self.searched_for, "replaced": replaced}
        return {**super().as_dict(), "items": hits, **more}


@dataclass(frozen=True, eq=False)
class Searching:
    """Answers searches.

    Args:
        index: what is read of the catalogue.
        item_vectors: read words.
        hybrid: fitted retrievers, of which the semantic one knows meaning.
        slates: gives what the recommender would choose, as `Scoring.slate` does.
        settings: how words, meaning and taste are weighed.
    """

    index: SearchIndex
    item_vectors: ItemVectors
    hybrid: Hybrid
    slates: Callable[..., Slate]
    settings: SearchSettings

    def __post_init__(self) -> None:
        if not self.index.catalog.text_fields and self._semantic is None:
            raise QueryError(
                "search needs words, and the items of this recommender have none; name the text "
                f"fields of the catalogue, or add '{SemanticRetriever.name}' to models.use, and "
                "train again"
            )

    def answer(
        self, presenter: Presenter, asked: Asked, n: int, *, exclude: Mask, users: Queries | None
    ) -> Found:
        """Present the n best hits for one query.

        Args:
            presenter: turns rows into what the outside sees.
            asked: what is looked for.
            n: number of hits.
            exclude: bool (1, N), items that must not come.
            users: one request, for whose taste it is; None is nobody's.
        """
        stages = Stages()
        spelled = Spelled(asked.text, ())
        if asked.correct:
            spelled = self.index.speller.corrected(asked.text)
        stages.mark("spell")
        found = self.slate([spelled.text], n, exclude=exclude, users=users, personal=asked.personal)
        stages.mark("score")
        answer = presenter.answer(
            _IN_WORDS, replace(found, sources=_GROUNDS[: len(found.sources)]), stages
        )
        shown = found.candidates.items[0, : len(answer.items)]
        matched = self.index.lexical.matched(parse_wish(spelled.text).likes, shown)
        parts = [
            dict(zip(found.sources, shares, strict=True))
            for shares in found.contributions[:, 0].T.tolist()
        ]
        hits = tuple(map(self._hit, answer.items, parts, matched))
        own = {part.name: getattr(answer, part.name) for part in fields(answer)}
        return Found(**{**own, "items": hits}, searched_for=spelled.text, replaced=spelled.replaced)

    def _hit(self, item: AnswerItem, parts: Mapping[str, float], matched: tuple[str, ...]) -> Hit:
        """Give an item with what each part added, and with the words that it has."""
        telling = [w for w in matched if not is_function_word(w)] or matched
        whys = item.reasons
        if matched:
            said = f"it has {ENGLISH.listed([ENGLISH.titled(word) for word in telling])}"
            whys = tuple(replace(why, text=said) if why.code == BY_WORDS else why for why in whys)
        moved = sum(abs(share) for share in parts.values())
        own = {part.name: getattr(item, part.name) for part in fields(item)}
        return Hit(
            **{**own, "sources": parts, "reasons": whys},
            matched=matched,
            taste_share=abs(parts.get(TASTE, 0.0)) / moved if moved else 0.0,
        )

    def slate(
        self,
        texts: Sequence[str],
        k: int,
        *,
        exclude: Mask,
        users: Queries | None = None,
        personal: float = 0.0,
    ) -> Slate:
        """Give the k best allowed items of each query.

        Args:
            texts: B queries in words.
            k: length of the lists.
            exclude: bool (B, N), items that must not come.
            users: B requests, for whose taste it is; None is nobody's.
            personal: the share of taste, 0 to 1.
        """
        shares, failed = self.relevance(texts)
        relevance = shares.sum(axis=0)
        n_candidates = max(k, self.settings.personal.n_candidates)
        candidates = Candidates.best(relevance, n_candidates, exclude=exclude)
        rows = np.maximum(candidates.items, 0)[None]
        parts = np.take_along_axis(shares, rows, axis=2)  # (2, B, M)
        sources: tuple[str, ...] = (LEXICAL, MEANING)
        if users is not None and personal > 0:
            liked, degraded = self._preference(users, candidates)
            added = taste(candidates.scores, liked, personal, self.settings.personal)
            parts = np.concatenate([parts, added[None]])
            sources, failed = (*sources, TASTE), (*failed, *degraded)
        totals = np.where(candidates.items < 0, np.float32(np.nan), parts.sum(axis=0))
        order, scores = top_k(totals, k)
        # What is padding, -1, is the last column, and where there is any, that is padding too.
        best = Candidates(np.take_along_axis(candidates.items, order, axis=1), scores)
        chosen = np.take_along_axis(parts, np.maximum(order, 0)[None], axis=2)
        nothing = np.zeros((0, *order.shape), dtype=np.float32)
        return Slate(best, sources, chosen, nothing, degraded=tuple(dict.fromkeys(failed)))

    def relevance(self, texts: Sequence[str]) -> tuple[Floats, tuple[str, ...]]:
        """Give what words and meaning say of all items, and the name of meaning if it failed.

        Returns:
            float32 (2, B, N), whose sum is the relevance; `semantic`, or nothing.
        """
        likes = [parse_wish(text).likes for text in texts]
        words = np.stack([self.index.lexical.scores(text) for text in likes])
        both = standardised(np.stack([words, np.zeros_like(words)]))
        semantic = self._semantic
        if semantic is None:
            return fused(both, self.settings.fusion), ()
        try:
            asked = self.index.meaning.of_words(self.item_vectors.of_words(texts))
            both[1] = self._near(semantic, asked)
            best, _ = top_k(
                fused(both, self.settings.fusion).sum(axis=0), self.settings.fusion.n_feedback
            )
            asked = followed(asked, self.index.meaning.of_items(best), self.settings.fusion)
            both[1] = self._near(semantic, asked)
        except Exception as error:  # noqa: BLE001 - whatever a part does, something is found
            warn("search goes by words alone", error=repr(error))
            return fused(both, self.settings.fusion), (SemanticRetriever.name,)
        return fused(both, self.settings.fusion), ()

    def _near(self, semantic: SemanticRetriever, directions: Floats) -> Floats:
        """Give how near in meaning all items are to B directions, standardised, (B, N)."""
        vectors = self.index.meaning.towards(directions)
        queries = replace(Queries.of([[]] * len(vectors)), text_vectors=vectors)
        cosines = self.index.meaning.cosines(semantic.scores(queries))
        return standardised(cosines[None])[0]

    def _preference(self, users: Queries, candidates: Candidates) -> tuple[Floats, tuple[str, ...]]:
        """Give what the recommender thinks of candidates, standardised among them, (B, M)."""
        n_items = len(self.index.catalog)
        barred = np.ones((len(users), n_items), dtype=np.bool_)
        for row, items in enumerate(candidates.items):
            barred[row, items[items >= 0]] = False
        slate = self.slates(users, candidates.items.shape[1], exclude=barred)
        liked = np.full((len(users), n_items), np.nan, dtype=np.float32)
        for row, (items, scores) in enumerate(
            zip(slate.candidates.items, slate.candidates.scores, strict=True)
        ):
            known = (items >= 0) & (scores > FILLS)
            liked[row, items[known]] = scores[known]
        own = np.take_along_axis(liked, np.maximum(candidates.items, 0), axis=1)
        return standardised(own[None])[0], slate.degraded

    @property
    def _semantic(self) -> SemanticRetriever | None:
        parts = {retriever.name: retriever for retriever in self.hybrid.retrievers}
        return cast("SemanticRetriever | None", parts.get(SemanticRetriever.name))

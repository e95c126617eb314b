"""How well searches find: words, meaning and both; for whom; in spite of misspellings; how fast.

    OMP_NUM_THREADS=1 python benchmarks/search.py DATA/cranfield DATA/amazon-scientific

Prints Markdown, in four parts.

Found by words and meaning. Cranfield: 225 queries, 1,400 abstracts (title, authors, text), nDCG@10
with gains of 5 - grade, 0 for -1 and for what nobody judged, divided by the best that ten places
allow. Queries in brackets are drawn 1,000 times for 95 % intervals, of ratios too. How words and
meaning are put together is chosen by queries that do not judge it: the queries fall into five
parts at random, and each part is answered with what was best on the other four. `pooled AP` is the
average precision of all pairs of a query and an item in one list: high where a score means the same
for each query.

Personal search. Amazon Scientific under protocol refit: the target is the last item of each user,
the models are fitted without it (and without the last items of those who validate). The query is
made of the words of the target's category, alone: the last and narrowest of its path
("Cyanoacrylate Adhesives"), the second and widest ("Tapes"), or three words of its title, drawn at
random. Targets without a category, or without a title, are left out. The whole catalogue is
ranked, what the user has met is masked, ties count half. In place of taste stands, to compare, how
often each item was bought. `in it` is the share of the first ten hits that carry all
words of the query in their category: what taste costs in relevance.

Misspellings. The queries of Cranfield with one random edit (a letter left out, put in, exchanged,
or swapped with the next) in every third word of four letters or more, or, with --misspellings, with
such words put in their place as people wrote them; a line of that file is
`misspelt->word, other word`, as in the dictionary of codespell.

Speed. A catalogue of 100,000 items drawn from Amazon Scientific, read whole, and with ten more.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, cast

import bm25s
import numpy as np
import polars as pl
from numpy.typing import NDArray
from quality import opened
from sklearn.metrics import average_precision_score

from longtale.arrays import Floats, Mask, top_k
from longtale.blend.calibrate import standardised
from longtale.data.candidates import Candidates, Slate
from longtale.data.catalog import Catalog, TextField
from longtale.data.dataset import Dataset
from longtale.data.impressions import Impressions
from longtale.data.interactions import Interactions
from longtale.data.query import Queries
from longtale.data.splits.folds import Fold
from longtale.data.splits.split import ProtocolName, Split, split
from longtale.data.tags import Tags
from longtale.data.vocabulary import Vocabulary
from longtale.evaluate.accuracy import ndcg, target_ranks
from longtale.evaluate.intervals import bootstrap_intervals, paired_test
from longtale.recommend.choose import choose
from longtale.recommend.cost import Cost
from longtale.recommend.item_vectors import ItemVectors
from longtale.recommend.pipeline import Recommender
from longtale.recommend.searching import Searching
from longtale.recommend.settings import LongtaleSettings, Quality
from longtale.recommend.train import fitted_again, train
from longtale.schema import Role
from longtale.search.fusion import FusionSettings, followed, fused
from longtale.search.lexical import LexicalIndex, LexicalSettings
from longtale.search.spelling import Speller
from longtale.search.words import terms_of, words_in

K = 10
Values = NDArray[np.float64]
N_FOLDS = 5
N_SPEED = 100_000
COMMON = 8
ALIKE = dict.fromkeys((role.value for role in Role), 1.0)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, eq=False)
class Collection:
    """Documents, queries and judgements.

    Args:
        catalog: N documents.
        queries: B texts.
        gains: float32 (B, N).
    """

    catalog: Catalog
    queries: list[str]
    gains: Floats

    def ndcg(self, scores: Floats) -> Values:
        """Give nDCG@10 of each query, (B,); equal scores stand in the order of the catalogue."""
        discounts = 1 / np.log2(2 + np.arange(K))
        rows, _ = top_k(scores, K)
        found = np.take_along_axis(self.gains, rows, axis=1) @ discounts
        best = -np.sort(-self.gains, axis=1)[:, :K] @ discounts
        return found / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cranfield", type=Path)
    parser.add_argument("scientific", type=Path)
    parser.add_argument("--parts", nargs="+", default=list("abcd"), help="a, b, c, d: see above")
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--users", type=int, default=2000, help="at most so many are asked for")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of personal search")
    parser.add_argument("--misspellings", type=Path, help="how people misspell, see above")
    asked = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if {"a", "c"} & set(asked.parts):
        collection = cranfield(asked.cranfield)
        recommender = train(of_words_alone(collection.catalog))
    if "a" in asked.parts:
        print_found(collection, recommender)
        print_choices(collection, recommender)
    if "b" in asked.parts:
        print_personal(asked.scientific, asked.quality, asked.users, asked.seeds)
    if "c" in asked.parts:
        print_misspelled(collection, recommender, (0, 1, 2), asked.misspellings)
        print_good_words(collection, recommender, asked.scientific)
    if "d" in asked.parts:
        print_speed(asked.scientific)


def cranfield(folder: Path) -> Collection:
    items = pl.read_parquet(folder / "items.parquet")
    queries = pl.read_parquet(folder / "queries.parquet")
    fields = {"title": Role.TITLE, "authors": Role.CREATOR, "text": Role.DESCRIPTION}
    catalog = Catalog(
        Vocabulary(items["item_id"].cast(pl.String), "item"),
        items.select(list(fields)),
        tuple(TextField(name, role) for name, role in fields.items()),
    )
    places = {"query_id": queries["query_id"], "item_id": items["item_id"]}
    judged = pl.read_parquet(folder / "judgements.parquet")
    for name, ids in places.items():
        rows = pl.DataFrame({name: ids}).with_row_index(f"{name}_row")
        judged = judged.join(rows, on=name, maintain_order="left")
    gains = np.zeros((len(queries), len(items)), dtype=np.float32)
    grades = judged["grade"].to_numpy()
    at = judged["query_id_row"].to_numpy(), judged["item_id_row"].to_numpy()
    gains[at] = np.where(grades < 0, 0, 5 - grades)
    return Collection(catalog, queries["text"].to_list(), gains)


def of_words_alone(catalog: Catalog) -> Dataset:
    nothing = Interactions.of([])
    return Dataset(
        users=Vocabulary.of([], noun="user"),
        catalog=catalog,
        interactions=nothing,
        dismissals=nothing,
        kinds=("click",),
        impressions=Impressions.none(),
        profiles=pl.DataFrame(),
        tags=Tags.none(),
    )


def print_found(collection: Collection, recommender: Recommender) -> None:
    """Print what each part finds alone, and what they find together."""
    sides = Sides.of(collection.queries, recommender)
    weights = recommender.search_index.settings.lexical
    by_meaning = replace(sides, words=np.zeros_like(sides.words))
    served = recommender.search_index.settings.fusion
    rows = {
        "words: BM25, all fields as one (bm25s)": repeated(
            collection, LexicalSettings.parse(ALIKE)
        ),
        "words: BM25, words repeated by weight (bm25s)": repeated(collection, weights),
        "words: BM25, one index for each field (bm25s)": by_field(collection, weights),
        "words: BM25, fields weighed": sides.words,
        "meaning: as for taste, among whitened items": sides.whitened,
        "meaning: plain cosine": sides.cosines(sides.asked),
        "meaning, with feedback from its own best": by_meaning.fused(served),
        "both": sides.fused(served.model_copy(update={"feedback": 0.0})),
        "both, with feedback (served)": recommender.searching.relevance(collection.queries)[0].sum(
            axis=0
        ),
    }
    values = {name: collection.ndcg(scores) for name, scores in rows.items()}
    best = values["both, with feedback (served)"]
    print(f"\n## Found by words and meaning, Cranfield, {len(best)} queries\n")
    print("| | nDCG@10 | served / this | served minus this |\n|---|---|---|---|")
    for name, own in values.items():
        test = paired_test(best, own, rng=np.random.default_rng(0))
        ratio, low, high = ratio_of_means(best, own)
        print(
            f"| {name} | {shown(own)} | {ratio:.3f} ({low:.3f} to {high:.3f}) | "
            f"{test.difference:+.4f} (p = {test.p:.3f}) |"
        )


def repeated(collection: Collection, weights: LexicalSettings) -> Floats:
    """Give BM25 over all fields behind each other, each as often as its weight, (B, N)."""
    fields = [
        [int(weights.weight(role)) * terms(cell or "") for cell in cells]
        for role, cells in collection.catalog.texts()
    ]
    documents = [[term for cell in row for term in cell] for row in zip(*fields, strict=True)]
    return of_package(documents, collection.queries)


def by_field(collection: Collection, weights: LexicalSettings) -> Floats:
    """Give the weighted sum of BM25 of each field by itself, (B, N)."""
    return np.sum(
        [
            weights.weight(role)
            * of_package([terms(cell or "") for cell in cells], collection.queries)
            for role, cells in collection.catalog.texts()
        ],
        axis=0,
    )


def of_package(documents: list[list[str]], queries: Sequence[str]) -> Floats:
    """Give BM25 as the package bm25s has it, (B, N)."""
    index = bm25s.BM25()
    index.index(documents, show_progress=False)
    nothing = np.zeros(len(documents), dtype=np.float32)
    asked = [[term for term in terms(text) if term in index.vocab_dict] for text in queries]
    return np.stack([index.get_scores(own) if own else nothing for own in asked])


def terms(text: str) -> list[str]:
    words = words_in(pl.Series([text]))[0].to_list()
    return [term for of_word in terms_of(words) for term, _ in of_word]


@dataclass(frozen=True, eq=False)
class Sides:
    """What words and meaning say of N items for B queries before they are put together.

    Args:
        words: BM25, float32 (B, N).
        bounds: float32 (B, 1), sums of idf: what BM25 cannot exceed.
        asked: float32 (B, D), plain directions of the queries.
        items: float32 (N, D), plain directions of the items.
        whitened: float32 (B, N), meaning as it serves taste.
    """

    words: Floats
    bounds: Floats
    asked: Floats
    items: Floats
    whitened: Floats

    @classmethod
    def of(cls, texts: Sequence[str], recommender: Recommender) -> Sides:
        index = recommender.searching.index
        vectors = recommender.item_vectors.of_words(texts)
        n_items = len(index.catalog)
        holders = [
            index.lexical.holding([w for w in words if index.lexical.knows([w])[0]])
            for words in words_in(pl.Series(texts))
        ]
        idf = [
            [np.log1p((n_items - len(h) + 0.5) / (len(h) + 0.5)) for h in own] for own in holders
        ]
        return cls(
            np.stack([index.lexical.scores(text) for text in texts]),
            np.array([max(sum(own), 1.0) for own in idf], dtype=np.float32)[:, None],
            index.meaning.of_words(vectors),
            index.meaning.of_items(np.arange(n_items, dtype=np.int32)),
            vectors @ index.meaning.vectors.T,
        )

    def cosines(self, directions: Floats) -> Floats:
        return directions @ self.items.T

    def fused(self, settings: FusionSettings, method: str = "deviations") -> Floats:
        """Give the relevance, float32 (B, N), by one way of bringing both sides to one scale."""
        put = partial(METHODS[method], self, settings)
        total = put(self.cosines(self.asked))
        if not settings.feedback:
            return total
        best, _ = top_k(total, settings.n_feedback)
        return put(self.cosines(followed(self.asked, self.items[best], settings)))


def by_deviations(sides: Sides, settings: FusionSettings, cosines: Floats) -> Floats:
    return fused(standardised(np.stack([sides.words, cosines])), settings).sum(axis=0)


def by_bounds(sides: Sides, settings: FusionSettings, cosines: Floats) -> Floats:
    """Take BM25 as a share of what it can be, and the cosine as it is.

    Bruch, Gai & Ingber 2023, arXiv:2210.11934.
    """
    return fused(np.stack([sides.words / sides.bounds, cosines]), settings).sum(axis=0)


def by_extremes(sides: Sides, settings: FusionSettings, cosines: Floats) -> Floats:
    """Let the worst item of each side have 0, and the best 1."""
    both = np.stack([sides.words, cosines])
    low, high = both.min(axis=2, keepdims=True), both.max(axis=2, keepdims=True)
    return fused((both - low) / np.maximum(high - low, 1e-9), settings).sum(axis=0)


def by_ranks(sides: Sides, settings: FusionSettings, cosines: Floats) -> Floats:
    """Reciprocal rank fusion with a constant of 10 (Cormack et al. 2009 took 60)."""
    both = np.stack([sides.words, cosines])
    ranks = np.argsort(np.argsort(-both, axis=2, kind="stable"), axis=2)
    return fused(1 / (10 + ranks.astype(np.float32)), settings).sum(axis=0)


METHODS: Mapping[str, Callable[[Sides, FusionSettings, Floats], Floats]] = {
    "deviations": by_deviations,
    "bounds": by_bounds,
    "extremes": by_extremes,
    "ranks": by_ranks,
}
GRID = [
    FusionSettings(words=words, n_feedback=k, feedback=feedback)
    for words, (k, feedback) in product(
        (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), ((1, 0.0), (3, 0.4), (3, 0.6), (5, 0.4), (5, 0.6), (5, 0.8))
    )
]


def print_choices(collection: Collection, recommender: Recommender) -> None:
    """Print what each way of putting words and meaning together finds, chosen by other queries."""
    sides = Sides.of(collection.queries, recommender)
    words = collection.ndcg(sides.words)
    meaning = collection.ndcg(sides.cosines(sides.asked))
    served = recommender.search_index.settings.fusion
    parts = np.random.default_rng(0).permutation(len(words)) % N_FOLDS
    print(
        "\n| scale | feedback | held out | / words | / meaning | chosen | as served | pooled AP |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for method, has_feedback in product(METHODS, (False, True)):
        tried = [s for s in GRID if has_feedback or not s.feedback]
        values = np.stack([collection.ndcg(sides.fused(s, method)) for s in tried])
        best = [int(values[:, parts != part].mean(axis=1).argmax()) for part in range(N_FOLDS)]
        held_out = values[np.array(best)[parts], np.arange(len(parts))]
        own = served if has_feedback else served.model_copy(update={"feedback": 0.0})
        scores = sides.fused(own, method)
        chosen = ", ".join(sorted({in_short(tried[number]) for number in best}))
        pooled = average_precision_score((collection.gains > 0).ravel(), scores.ravel())
        print(
            f"| {method} | {'yes' if has_feedback else 'no'} | {shown(held_out)} | "
            f"{held_out.mean() / words.mean():.3f} | {held_out.mean() / meaning.mean():.3f} | "
            f"{chosen} | {collection.ndcg(scores).mean():.4f} | {pooled:.3f} |",
            flush=True,
        )


def in_short(settings: FusionSettings) -> str:
    if not settings.feedback:
        return f"{settings.words:g}"
    return f"{settings.words:g}, {settings.n_feedback} at {settings.feedback:g}"


KINDS = ("narrow category", "wide category", "three words of the title", "whole title")


def print_personal(folder: Path, quality: str, n_users: int, seeds: Sequence[int]) -> None:
    """Print what taste adds to a search, by kind of query."""
    dataset, settings = opened(str(folder))
    settings = settings.for_quality(Quality(quality))
    pooled: dict[tuple[str, str], list[Values]] = defaultdict(list)
    kept: dict[tuple[str, str], list[Values]] = defaultdict(list)
    for seed in seeds:
        dice = settings.split.model_copy(update={"seed": seed})
        cut = split(dataset, ProtocolName.REFIT, dice)
        recommender = fitted(cut, settings.model_copy(update={"split": dice}))
        rng = np.random.default_rng(seed)
        some = rng.permutation(len(cut.test))[:n_users]
        fold = cut.test.take(some)
        for kind in KINDS:
            texts = asked_for(fold, kind, rng)
            worded = np.flatnonzero([bool(text.strip()) for text in texts])
            own = [texts[row] for row in worded]
            for name, found in judged_searches(recommender, fold.take(worded), own):
                pooled[kind, name].append(found[0])
                kept[kind, name].append(found[1])
    print(f"\n## Personal search, {folder.name}, refit, {quality}, seeds {list(seeds)}\n")
    for kind in KINDS:
        names = [name for of, name in pooled if of == kind]
        plain = np.concatenate(pooled[kind, names[0]])
        print(
            f"| {kind}, {len(plain)} searches | nDCG@10 | / nobody | minus it | by seed | in it |"
        )
        print("|---|---|---|---|---|---|")
        for name in names:
            own = np.concatenate(pooled[kind, name])
            ratio, low, high = ratio_of_means(own, plain)
            test = paired_test(own, plain, rng=np.random.default_rng(0))
            by_seed = ", ".join(
                f"{mine.mean() / base.mean():.3f}"
                for mine, base in zip(pooled[kind, name], pooled[kind, names[0]], strict=True)
            )
            share = np.nanmean(np.concatenate(kept[kind, name]))
            print(
                f"| {name} | {shown(own)} | {ratio:.3f} ({low:.3f} to {high:.3f}) | "
                f"{test.difference:+.4f} ({test.low:+.4f} to {test.high:+.4f}) | {by_seed} | "
                f"{share:.3f} |",
                flush=True,
            )
        print()


def fitted(cut: Split, settings: LongtaleSettings) -> Recommender:
    """Choose and fit without the targets of the test."""
    cost = Cost(None)
    chosen = choose(cut.validation, settings, cost)
    train = cut.test.train
    vectors, hybrid = chosen.item_vectors, chosen.hybrid
    if train is not cut.validation.train:
        vectors, hybrid = fitted_again(chosen, train, settings, cost, purpose="test")
    return Recommender(train, vectors, hybrid, "trial", settings.slate, chosen.ranker)


def asked_for(fold: Fold, kind: str, rng: np.random.Generator) -> list[str]:
    """Give what the target of each request is looked for with; empty where there is nothing."""
    frame = fold.train.catalog.frame
    titles = frame["title"].fill_null("").to_list()
    paths = [
        [part.strip() for part in cell.split(",") if part.strip()]
        for cell in frame["categories"].fill_null("")
    ]
    texts = []
    for target in fold.targets.items.tolist():
        words, path = titles[target].split(), paths[target][1:]
        if kind == "three words of the title":
            drawn = np.sort(rng.choice(len(words), size=min(3, len(words)), replace=False))
            texts.append(" ".join(words[place] for place in drawn))
        elif kind == "whole title":
            texts.append(titles[target])
        else:
            texts.append((path[-1] if kind.startswith("narrow") else path[0]) if path else "")
    return texts


@dataclass(frozen=True, eq=False)
class Remembering:
    """Reads each text once."""

    vectors: ItemVectors
    known: dict[str, Floats]

    def of_words(self, texts: Sequence[str]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known.update(zip(new, self.vectors.of_words(new), strict=True))
        return np.stack([self.known[text] for text in texts])


def judged_searches(
    recommender: Recommender, fold: Fold, texts: Sequence[str]
) -> Iterator[tuple[str, tuple[Values, Values]]]:
    """Give nDCG@10 and the share of hits in the category, by how the search is made personal."""
    remembering = cast("ItemVectors", Remembering(recommender.item_vectors, {}))
    searching = replace(recommender.searching, item_vectors=remembering)
    counts = np.log1p(recommender.dataset.item_counts).astype(np.float32)
    even = searching.settings.personal.model_copy(update={"gamma": 0.55, "temperature": 1e6})
    ways = {
        "for nobody": (searching, 0.0),
        "personal .3 (default)": (searching, 0.3),
        "personal 1": (searching, 1.0),
        "popularity for taste, 1": (replace(searching, slates=by_counts(counts)), 1.0),
        "taste weighs .55 whatever is asked": (
            replace(searching, settings=searching.settings.model_copy(update={"personal": even})),
            1.0,
        ),
    }
    words = [set(terms(cell or "")) for cell in fold.train.catalog.frame["categories"]]
    for name, (way, personal) in ways.items():
        found = []
        for start in range(0, len(fold), 100):
            rows = np.arange(start, min(start + 100, len(fold)))
            found.append(
                searched(way, fold.take(rows), [texts[row] for row in rows], personal, words)
            )
        first, second = (np.concatenate(parts) for parts in zip(*found, strict=True))
        yield name, (first, second)


def searched(
    searching: Searching,
    fold: Fold,
    texts: Sequence[str],
    personal: float,
    words: Sequence[set[str]],
) -> tuple[Values, Values]:
    n_candidates = searching.settings.personal.n_candidates
    slate = searching.slate(
        texts,
        n_candidates,
        exclude=fold.seen.toarray() != 0,
        users=fold.queries,
        personal=personal,
    )
    scores = np.full((len(texts), fold.train.n_items), np.nan, dtype=np.float32)
    items = slate.candidates.items
    for row, own in enumerate(items):
        scores[row, own[own >= 0]] = slate.candidates.scores[row, own >= 0]
    ranks = target_ranks(scores, fold.targets, masked=fold.seen)
    asked = [set(terms(text)) for text in texts]
    shares = [
        np.mean([terms <= words[item] for item in own[:K]])
        for terms, own in zip(asked, items.tolist(), strict=True)
    ]
    return ndcg(ranks, K), np.array(shares)


def by_counts(counts: Floats) -> Callable[..., Slate]:
    """Give what stands for a recommender that knows only how often items were bought."""

    def slates(users: Queries, k: int, *, exclude: Mask) -> Slate:
        scores = np.broadcast_to(counts, exclude.shape)
        best = Candidates.best(scores, k, exclude=exclude)
        return Slate.of(best, scores[None], sources=("popular",))

    return slates


def print_misspelled(
    collection: Collection, recommender: Recommender, seeds: Sequence[int], file: Path | None
) -> None:
    """Print what misspellings cost, and what of it spelling brings back."""
    speller = recommender.searching.index.speller
    known = mistakes_in(file) if file is not None else None
    print(f"\n## Misspelled queries, Cranfield, {len(seeds)} times misspelled\n")
    print("| | words alone | meaning alone | both | kept |\n|---|---|---|---|---|")
    clean = collection.queries
    runs = [misspelled(clean, speller, np.random.default_rng(seed), known) for seed in seeds]
    rows = {
        "as they are": [clean],
        "as they are, corrected": [[speller.corrected(text).text for text in clean]],
        "misspelled": [texts for texts, _ in runs],
        "misspelled, corrected": [
            [speller.corrected(text).text for text in texts] for texts, _ in runs
        ],
    }
    whole = None
    for name, several in rows.items():
        sides = [sides_of(collection, recommender, texts) for texts in several]
        values = np.mean(sides, axis=0)
        whole = values[2].mean() if whole is None else whole
        cells = " | ".join(shown(value) for value in values)
        print(f"| {name} | {cells} | {values[2].mean() / whole:.1%} |", flush=True)
    n_words = np.mean([len(replaced) for _, replaced in runs])
    print(f"\nOf {n_words:.0f} misspelled words\n")
    for name, own in spellers(recommender).items():
        right, wrong, left = np.mean([outcomes(own, *run) for run in runs], axis=0)
        print(
            f"- {name}: {right:.1%} came out right, {wrong:.1%} as another word, {left:.1%} as "
            "they were"
        )


def print_good_words(collection: Collection, recommender: Recommender, folder: Path) -> None:
    """Print how many good words are taken for others because no document has them."""
    speller, rng = recommender.searching.index.speller, np.random.default_rng(0)
    other = LexicalIndex.of(opened(str(folder))[0].catalog)
    common = other.words.filter(pl.Series(other.frequencies) >= COMMON)
    fit = [word for word in common if word.isalpha() and len(word) >= 4]
    known = speller.index.knows(fit)
    foreign = [word for word, is_known in zip(fit, known, strict=True) if not is_known]
    asked = []
    for word in foreign:
        text = collection.queries[rng.integers(len(collection.queries))]
        words = [part for part in text.split() if len(part) >= 4 and part.isalpha()]
        asked.append((word, text.replace(str(rng.choice(words)), word)))
    print(
        f"\nOf {len(foreign)} words that stand in {COMMON} texts of {folder.name} or more, and in "
        "no abstract,\n"
    )
    for name, own in spellers(recommender).items():
        alone = [bool(own.corrected(word).replaced) for word in foreign]
        beside = [word in dict(own.corrected(text).replaced) for word, text in asked]
        print(
            f"- {name}: {np.mean(alone):.1%} are taken for another word if asked for alone, "
            f"{np.mean(beside):.1%} in place of a word of a query"
        )


def spellers(recommender: Recommender) -> dict[str, Speller]:
    """Give who corrects, by what they know of words that no item has."""
    served = recommender.searching.index.speller
    alone = Speller.of(served.index, served.settings)
    return {"with the words of the encoder (served)": served, "with the catalogue alone": alone}


def sides_of(
    collection: Collection, recommender: Recommender, texts: Sequence[str]
) -> tuple[Values, Values, Values]:
    sides = Sides.of(texts, recommender)
    both, _ = recommender.searching.relevance(texts)
    return (
        collection.ndcg(sides.words),
        collection.ndcg(sides.cosines(sides.asked)),
        collection.ndcg(both.sum(axis=0)),
    )


def mistakes_in(file: Path) -> dict[str, list[str]]:
    """Read how people misspelled words."""
    known = defaultdict(list)
    for line in file.read_text().splitlines():
        mistake, _, words = line.partition("->")
        for word in re.findall(r"[a-z]+", words):
            if mistake.isalpha():
                known[word].append(mistake)
    return dict(known)


def misspelled(
    texts: Sequence[str],
    speller: Speller,
    rng: np.random.Generator,
    known: Mapping[str, Sequence[str]] | None,
) -> tuple[list[str], list[tuple[int, str, str]]]:
    """Misspell every third of the words of four letters or more that can be.

    Returns:
        the texts, and each word that was replaced: its text, the mistake, the word.
    """
    found, replaced = [], []
    for number, text in enumerate(texts):
        words = [
            word
            for word in dict.fromkeys(words_in(pl.Series([text]))[0])
            if len(word) >= 4 and word.isalpha() and (known is None or word in known)
        ]
        for word in words[rng.integers(3) :: 3]:
            mistake = edited(word, rng) if known is None else str(rng.choice(known[word]))
            if not speller.index.knows([mistake])[0]:
                text = re.sub(rf"\b{word}\b", mistake, text)
                replaced.append((number, mistake, word))
        found.append(text)
    return found, replaced


def edited(word: str, rng: np.random.Generator) -> str:
    place, letter = int(rng.integers(len(word) - 1)), LETTERS[rng.integers(26)]
    before, at, after = word[:place], word[place], word[place + 1 :]
    ways = [after, letter + at + after, letter + after, after[:1] + at + after[1:]]
    return before + ways[rng.integers(4)]


def outcomes(
    speller: Speller, texts: Sequence[str], replaced: Sequence[tuple[int, str, str]]
) -> tuple[float, float, float]:
    """Give the shares of misspelled words that came out right, as another word, as they were."""
    corrected = [dict(speller.corrected(text).replaced) for text in texts]
    came_out = [(corrected[number].get(mistake), word) for number, mistake, word in replaced]
    right = np.mean([other is not None and terms(other) == terms(word) for other, word in came_out])
    left = np.mean([other is None for other, _ in came_out])
    return float(right), float(1 - right - left), float(left)


def print_speed(folder: Path) -> None:
    """Print how long it takes to read a large catalogue, and what is new in it."""
    dataset, _ = opened(str(folder))
    own = dataset.catalog
    drawn = np.random.default_rng(0).integers(len(own), size=N_SPEED + 10)
    frame = own.frame[drawn.tolist()]
    ids = [str(number) for number in range(len(frame))]
    print(f"\n## Speed, {N_SPEED:,} items\n")
    print(
        "| fields | words | read | 10 items more | bm25s, from words | bm25s / read | one query |"
    )
    print("|---|---|---|---|---|---|---|")
    for fields in (own.text_fields[:1], own.text_fields[:3], own.text_fields):
        whole = Catalog(Vocabulary.of(ids, noun="item"), frame, fields)
        catalog = whole.take(range(N_SPEED))
        index, read_s = timed(lambda: ready(LexicalIndex.of(catalog)))  # noqa: B023
        _, more_s = timed(lambda: ready(index.knowing(whole)))  # noqa: B023
        _, query_s = timed(lambda: index.scores("label printer tape for industrial use"))  # noqa: B023
        columns = [catalog.frame[field.name].fill_null("") for field in fields]
        texts = pl.DataFrame(columns).select(pl.concat_str(pl.all(), separator=" ")).to_series()
        documents = words_in(texts).to_list()
        _, other_s = timed(lambda: bm25s.BM25().index(documents, show_progress=False))  # noqa: B023
        n_words = sum(part.data.sum() for part in index.counts)
        print(
            f"| {', '.join(field.name for field in fields)} | {n_words / 1e6:.1f} million | "
            f"{read_s:.2f} s | {more_s:.2f} s | {other_s:.1f} s | {other_s / read_s:.1f} | "
            f"{1000 * query_s:.1f} ms |",
            flush=True,
        )


def ready(index: LexicalIndex) -> LexicalIndex:
    index.scores("")
    return index


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = act()
    return result, time.perf_counter() - start


def shown(values: Values) -> str:
    low, high = bootstrap_intervals(values[:, None], rng=np.random.default_rng(0))
    return f"{np.nanmean(values):.4f} ({low[0]:.4f} to {high[0]:.4f})"


def ratio_of_means(first: Values, second: Values) -> tuple[float, float, float]:
    """Give the ratio of two means over the same requests, with its bootstrap interval."""
    draws = np.random.default_rng(0).integers(len(first), size=(1000, len(first)))
    ratios = first[draws].mean(axis=1) / second[draws].mean(axis=1)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(first.mean() / second.mean()), float(low), float(high)


if __name__ == "__main__":
    main()

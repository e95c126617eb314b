"""Texts per CPU-second of every engine against plain sentence-transformers, and their cosines.

    python benchmarks/encoding.py                                   # the bundled film titles
    python benchmarks/encoding.py --items items.parquet --column description

The baseline is `SentenceTransformer(...).encode(texts)` in fp32 with its own sorting by length.
All take turns in one run; the ratio is the median over the rounds of the ratio within a round.
Processor time counts all threads. One round before is not counted: it exports, compiles, warms up.
On a busy machine threads that wait for each other count as work: there, measure on one processor,
`taskset -c 0 python benchmarks/encoding.py`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from tokenizers import Tokenizer

from longtale.arrays import Floats
from longtale.encode.cache import default_cache_folder
from longtale.encode.engines import choose_engine, has_bf16_units
from longtale.encode.language_model import LanguageModelEncoder, LanguageModelSettings
from longtale.encode.model_card import read_card
from longtale.encode.model_folder import PACKAGED_MODEL, find_model
from longtale.encode.onnx_text import OnnxTextEncoder
from longtale.encode.tokens import cutting
from longtale.seeds import generator

TITLES = Path(__file__).parents[1] / "src/longtale/data/movielens_small/movies.csv"
BASELINE = "sentence-transformers"
ENGINES = ("openvino", "onnx", "torch-bf16", "torch")
QUERY = "slow-burn science fiction, no war"
N_QUERIES = 100

Encode = Callable[[Sequence[str]], Floats]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=PACKAGED_MODEL)
    parser.add_argument("--items", type=Path, default=TITLES, help="CSV or Parquet")
    parser.add_argument("--column", default="title")
    parser.add_argument("--texts", type=int, default=512, help="how many, drawn at random")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    texts = read_texts(arguments.items, arguments.column, arguments.texts)
    encoders = all_encoders(arguments.model)
    print(f"{len(texts)} texts of {arguments.items.name}:{arguments.column}")
    print(f"bf16 units: {has_bf16_units()}, chosen engine: {choose_engine()}")
    print(f"median tokens: {median_tokens(arguments.model, texts):.0f}\n")
    compare(encoders, texts, arguments.rounds)
    print_query_time(arguments.model)


def read_texts(path: Path, column: str, n_texts: int) -> list[str]:
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    texts = frame[column].drop_nulls().cast(pl.String)
    texts = texts.filter(texts.str.strip_chars() != "")
    rng = generator(0, "benchmark encoding")
    chosen = rng.choice(len(texts), size=min(n_texts, len(texts)), replace=False)
    return texts.gather(chosen).to_list()


def all_encoders(model: str) -> dict[str, Encode]:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(find_model(model)), device="cpu")
    encoders: dict[str, Encode] = {
        BASELINE: lambda texts: plain.encode(list(texts), normalize_embeddings=True)
    }
    for engine in ENGINES:
        encoders[engine] = load(model, LanguageModelSettings(engine=engine)).encode
    return encoders


def load(model: str, settings: LanguageModelSettings) -> LanguageModelEncoder:
    return LanguageModelEncoder.load(model, default_cache_folder(), settings=settings)


def median_tokens(model: str, texts: list[str]) -> float:
    card = read_card(find_model(model))
    tokenizer = cutting(Tokenizer.from_file(str(card.folder / "tokenizer.json")), card.max_tokens)
    return float(np.median([len(encoding.ids) for encoding in tokenizer.encode_batch(texts)]))


def compare(encoders: dict[str, Encode], texts: Sequence[str], n_rounds: int) -> None:
    reference = encoders[BASELINE](texts)
    cosines = {name: (encode(texts) * reference).sum(axis=1) for name, encode in encoders.items()}
    rates: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(n_rounds):
        for name, encode in encoders.items():
            start = time.process_time()
            encode(texts)
            rates[name].append(len(texts) / (time.process_time() - start))
    print(f"{'':24}texts per CPU-second   ratio (lowest-highest)   cosine mean, lowest")
    for name, rate in rates.items():
        ratios = np.array(rate) / np.array(rates[BASELINE])
        print(
            f"{name:24}{np.median(rate):12.0f}{np.median(ratios):18.2f}"
            f" ({ratios.min():.2f}-{ratios.max():.2f})"
            f"{cosines[name].mean():17.6f}, {cosines[name].min():.6f}"
        )


def print_query_time(model: str) -> None:
    folder = default_cache_folder() / "benchmark-encoder"
    load(model, LanguageModelSettings()).save(folder)
    encoder = OnnxTextEncoder.load(folder)
    encoder.encode([QUERY], purpose="query")
    times = []
    for _ in range(N_QUERIES):
        start = time.perf_counter()
        encoder.encode([QUERY], purpose="query")
        times.append(1000 * (time.perf_counter() - start))
    p50, p95 = np.percentile(times, [50, 95])
    print(f"\none query without torch: p50 {p50:.1f} ms, p95 {p95:.1f} ms")


if __name__ == "__main__":
    main()

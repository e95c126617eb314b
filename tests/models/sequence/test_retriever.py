"""What the fitted net says of items that came later, and of what it cannot use."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

pytest.importorskip("torch")
from longtale.arrays import unit_rows
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.synthetic import generated
from longtale.errors import DataError
from longtale.models.sequence.retriever import SequenceRetriever
from longtale.models.sequence.settings import SequenceSettings
from longtale.seeds import generator

pytestmark = pytest.mark.torch

SETTINGS = SequenceSettings(width=8, batch_size=16, n_negatives=20, epochs=2)
ASKED = Queries.of([[1, 2, 3], [4], [5, 6, 5, 7, 8]])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return generated(generator(3, "sequence"), 40, 30, 300)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return unit_rows(generator(4, "vectors").normal(size=(30, 12)).astype(np.float32))


def fit(dataset, items, vectors=None):
    return SequenceRetriever.fit(dataset, SETTINGS.model_copy(update={"items": items}), vectors)


@pytest.mark.parametrize("items", ["text", "both"])
def test_a_new_item_is_scored_and_read_by_its_text_alone(dataset, vectors, items):
    fitted = fit(dataset, items, vectors)
    silent = np.zeros((1, 12), dtype=np.float32)
    grown = fitted.with_vectors(np.vstack([vectors, vectors[[9]], silent]))
    scores = grown.scores(ASKED)
    np.testing.assert_array_equal(scores[:, :30], fitted.scores(ASKED))
    assert np.isfinite(scores[:, 30]).all()
    assert np.isnan(scores[:, 31]).all()
    assert np.isfinite(grown.scores(Queries.of([[30]]))[0, :30]).all()
    if items == "text":
        np.testing.assert_allclose(scores[:, 30], scores[:, 9], rtol=1e-5)
    else:
        assert not np.allclose(scores[:, 30], scores[:, 9])


def test_a_new_item_without_identity_has_no_score(dataset, vectors):
    grown = fit(dataset, "identity").with_vectors(np.vstack([vectors, vectors[:1]]))
    scores = grown.scores(ASKED)
    assert scores.shape == (3, 31)
    assert np.isnan(scores[:, 30]).all()
    assert np.isnan(grown.scores(Queries.of([[30]]))).all()


def test_the_two_nets_have_names_of_their_own(dataset, vectors):
    names = [fit(dataset, items, vectors).name for items in ("identity", "text", "both")]
    assert names == ["sequence", "sequence_text", "sequence_text"]


@pytest.mark.parametrize("wrong", [None, 29])
def test_one_vector_for_each_item_is_asked_for(dataset, vectors, wrong):
    given = None if wrong is None else vectors[:wrong]
    with pytest.raises(DataError, match=r"(no|29) vectors for 30 items; give one for each"):
        fit(dataset, "both", given)


def test_many_requests_of_many_lengths_equal_singles(dataset, vectors):
    fitted = fit(dataset, "both", vectors)
    rng = generator(5, "requests")
    queries = Queries.of([rng.integers(30, size=rng.integers(0, 40)).tolist() for _ in range(150)])
    singles = [fitted.scores(queries.take(np.array([b]))) for b in range(len(queries))]
    np.testing.assert_allclose(fitted.scores(queries), np.concatenate(singles), atol=1e-4)


def test_answers_without_torch_what_it_answers_with_it(dataset, tmp_path):
    fitted = fit(dataset, "identity")
    save_file(dict(fitted.state()), tmp_path / "state.safetensors")
    np.save(tmp_path / "scores.npy", fitted.scores(ASKED))
    code = """
import sys, numpy as np
from safetensors.numpy import load_file
sys.modules["torch"] = None
from longtale.data.query import Queries
from longtale.models.sequence.retriever import SequenceRetriever
from longtale.models.sequence.settings import SequenceSettings
folder = sys.argv[1]
fitted = SequenceRetriever.restore(SequenceSettings(), load_file(folder + "/state.safetensors"))
scores = fitted.scores(Queries.of([[1, 2, 3], [4], [5, 6, 5, 7, 8]]))
np.testing.assert_array_equal(scores, np.load(folder + "/scores.npy"))
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert load_file(tmp_path / "state.safetensors")["encoder"].dtype == np.uint8

"""The encoders that are compared look back only, and nothing but their layers differs."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from benchmarks.encoders import LAYERS, fitted_with  # noqa: E402
from benchmarks.sequence import tested as ranks_of  # noqa: E402

from longtale.data.splits.split import ProtocolName, Split, SplitSettings, split  # noqa: E402
from longtale.data.synthetic import generated  # noqa: E402
from longtale.evaluate.accuracy import ndcg  # noqa: E402
from longtale.models.sequence.retriever import SequenceRetriever  # noqa: E402
from longtale.models.sequence.settings import SequenceSettings  # noqa: E402
from longtale.seeds import generator  # noqa: E402

pytestmark = pytest.mark.torch

SETTINGS = SequenceSettings(width=8, batch_size=16, n_negatives=20, epochs=3, learning_rate=0.05)


@pytest.fixture(scope="module")
def cut() -> Split:
    dataset = generated(generator(3, "encoders"), 60, 30, 900)
    return split(dataset, ProtocolName.REFIT, SplitSettings(n_validation_users=40))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_look_back_only(name: str) -> None:
    layer = LAYERS[name](8, 1, gated=False).eval()
    x = torch.randn(2, 20, 8, generator=torch.Generator().manual_seed(1))
    changed = x.clone()
    changed[:, 12:] *= -1
    torch.testing.assert_close(layer(x)[:, :12], layer(changed)[:, :12])
    assert not torch.allclose(layer(x)[:, 12:], layer(changed)[:, 12:], atol=1e-2)


@pytest.mark.parametrize("name", LAYERS)
def test_exported_encoders_rank_as_they_did_in_training(name: str, cut: Split) -> None:
    fitted = fitted_with(name, cut, SETTINGS)
    ranks = ranks_of(fitted, cut.validation)
    assert np.mean(ndcg(ranks, 10)) == pytest.approx(fitted.curve[fitted.n_best - 1], abs=1e-6)


def test_only_the_layers_are_exchanged(cut: Split) -> None:
    usual = SequenceRetriever.fit(cut.validation.train, SETTINGS, validation=cut.validation)
    curves = {name: fitted_with(name, cut, SETTINGS).curve.tolist() for name in LAYERS}
    assert curves["transformer"] == usual.curve.tolist()
    assert len({tuple(curve) for curve in curves.values()}) == len(LAYERS)

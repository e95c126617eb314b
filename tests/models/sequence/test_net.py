"""The net looks back only, and an item is what its settings say."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from longtale.models.sequence.net import (  # noqa: E402
    Encoder,
    ItemTable,
    LastState,
    MaskPool,
    SequenceNet,
)

pytestmark = pytest.mark.torch

BLOCKS = ("sasrec", "ligr")


def encoder(block):
    table = ItemTable(torch.ones(3), 8, vectors=None, identity=True, identity_dropout=0)
    made = Encoder(width=8, n_blocks=2, n_heads=2, max_length=6, block=block)
    SequenceNet(table, made).begin(torch.Generator().manual_seed(1))
    for weight in made.parameters():
        weight.data.mul_(10)
    return made.eval()


def vectors(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("block", BLOCKS)
def test_a_state_does_not_depend_on_what_follows(block):
    net, x, lengths = encoder(block), vectors(1, 5, 8), torch.tensor([5])
    changed = x.clone()
    changed[:, 3:] *= -1  # a shift would go with the layer's norm
    torch.testing.assert_close(net(x, lengths)[:, :3], net(changed, lengths)[:, :3])
    assert not torch.allclose(net(x, lengths)[:, 3:], net(changed, lengths)[:, 3:], atol=1e-2)


@pytest.mark.parametrize("block", BLOCKS)
def test_padding_changes_nothing(block):
    net, x = encoder(block), vectors(1, 3, 8)
    longer = torch.cat([x, vectors(1, 2, 8)], dim=1)
    lengths = torch.tensor([3])
    torch.testing.assert_close(net(x, lengths), net(longer, lengths)[:, :3])
    torch.testing.assert_close(LastState(net)(longer, lengths), net(x, lengths)[:, 2])


@pytest.mark.parametrize("block", BLOCKS)
def test_order_matters(block):
    net, x, lengths = encoder(block), vectors(1, 3, 8), torch.tensor([3])
    turned = x[:, [1, 0, 2]]
    assert not torch.allclose(LastState(net)(x, lengths), LastState(net)(turned, lengths))


def table(counts, text, **changes):
    usual = {"vectors": text, "identity": True, "identity_dropout": 0.5}
    made = ItemTable(torch.tensor(counts), 4, **{**usual, **changes})
    generator = torch.Generator().manual_seed(3)
    for weight in (made.own, made.projection):
        if weight is not None:
            torch.nn.init.normal_(weight, generator=generator)
    return made.eval()


def test_identity_is_trusted_by_evidence_and_text_always_counts():
    counts, text = [0, 4, 999], vectors(3, 5)
    made = table(counts, text)
    made.trust.data = torch.tensor([0.5, 2.0])
    found = made(torch.arange(3)).detach().numpy()
    for item, n in enumerate(counts):
        trust = 0 if n == 0 else 1 / (1 + np.exp(-(0.5 + 2 * np.log((n + 1) / 5))))
        expected = text[item] @ made.projection + trust * made.own[item]
        np.testing.assert_allclose(found[item], expected.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_identities_are_left_out_in_training_only():
    text = vectors(200, 5)
    made, items = table([9] * 200, text), torch.arange(200)
    alone = (text @ made.projection).detach()
    dropped = torch.isclose(made(items, torch.Generator().manual_seed(4)), alone).all(dim=1)
    assert 60 < int(dropped.sum()) < 140
    assert not torch.isclose(made(items), alone).all(dim=1).any()


def test_text_alone_and_identity_alone_stand_for_themselves():
    text, items = vectors(3, 5), torch.arange(3)
    only_text = table([1, 1, 1], text, identity=False)
    torch.testing.assert_close(only_text(items), text @ only_text.projection)
    only_own = table([1, 1, 1], None)
    torch.testing.assert_close(only_own(items), only_own.own.detach())


def test_masks_keep_the_mean_and_differ_from_call_to_call():
    dropout = MaskPool(0.25, torch.Generator().manual_seed(5), size=10_000)
    ones = torch.ones(40, 50)
    first, second = dropout(ones), dropout(ones)
    assert first.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert float(first.mean()) == pytest.approx(1, abs=0.1)
    assert not torch.equal(first, second)


def test_mask_grows_with_what_is_asked():
    dropout = MaskPool(0.5, torch.Generator().manual_seed(5), size=10)
    assert dropout(torch.ones(100)).shape == (100,)


def test_no_dropout_gives_back_what_it_was_given():
    ones = torch.ones(3)
    assert MaskPool(0, torch.Generator())(ones) is ones

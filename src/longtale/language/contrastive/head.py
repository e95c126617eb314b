"""A matrix on top of an encoder, which learns before the encoder does; needs torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from torch import Tensor, nn
from torch.nn import functional

from longtale.contracts import OnProgress


def add_head(model: SentenceTransformer) -> nn.Linear:
    """Put a matrix behind the pooling, which changes nothing until it learns.

    Args:
        model: changed in place.

    Returns:
        the matrix, (D, D), without a bias, so that the length of what it is given does not matter.
    """
    width = model.get_embedding_dimension()
    head = Dense(width, width, bias=False, activation_function=nn.Identity())
    nn.init.eye_(head.linear.weight)
    is_scaled = isinstance(model[-1], Normalize)
    model.insert(len(model) - is_scaled, head.to(model.device))
    return head.linear


def teach_head(
    head: nn.Linear,
    vectors: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    n_steps: int,
    learning_rate: float,
    on_progress: OnProgress = None,
) -> None:
    """Let a matrix learn on vectors that stay as they are: each step costs a few products.

    A new head on a model that learns at once distorts what the model knew (Kumar et al. 2022,
    arXiv:2202.10054); one that has learned leaves little to change.

    Args:
        head: (D, D), changed in place.
        vectors: float (N, D).
        loss: of the unit vectors that come out, float (N, D).
        n_steps: steps of AdamW.
        learning_rate: the largest; it falls in a line to nothing.
        on_progress: is told of the steps.
    """
    optimizer = torch.optim.AdamW(head.parameters(), lr=learning_rate, weight_decay=0)
    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / n_steps)
        found = loss(functional.normalize(head(vectors), dim=1))
        optimizer.zero_grad()
        found.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if on_progress is not None:
            on_progress(1)

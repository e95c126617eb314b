"""A matrix on top of an encoder, which learns before the encoder does; needs torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from torch import Tensor, nn
from torch.nn import functional

from longtale.arrays import Floats
from longtale.contracts import Encode, OnProgress


def new_head(model: SentenceTransformer) -> nn.Linear:
    """Make a matrix that changes nothing until it learns.

    Returns:
        (D, D), without a bias, so that the length of what it is given does not matter.
    """
    width = model.get_embedding_dimension()
    head = nn.Linear(width, width, bias=False)
    nn.init.eye_(head.weight)
    return head.to(model.device)


def put_head(model: SentenceTransformer, head: nn.Linear) -> None:
    """Put a matrix behind the pooling of a model, which is changed in place."""
    width = model.get_embedding_dimension()
    module = Dense(width, width, bias=False, activation_function=nn.Identity())
    module.linear = head
    is_scaled = isinstance(model[-1], Normalize)
    model.insert(len(model) - is_scaled, module.to(model.device))


class Headed:
    """What a model says of texts through a matrix that learns: the model reads each text once.

    Args:
        read: the model, float32 (n, D) of n texts.
        head: (D, D).
    """

    def __init__(self, read: Encode, head: nn.Linear) -> None:
        self._read, self._head = read, head
        self._kept: dict[str, Floats] = {}

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Give float32 (n, D) unit rows of n texts."""
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        self._kept.update(zip(new, self._read(new), strict=True))
        vectors = torch.from_numpy(np.stack([self._kept[text] for text in texts]))
        with torch.no_grad():
            found = functional.normalize(self._head(vectors.to(self._head.weight.device)), dim=1)
        return np.asarray(found.cpu().numpy())


def teach_head(
    head: nn.Linear,
    vectors: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    n_steps: int,
    learning_rate: float,
    score: Callable[[], float] | None = None,
    every: int = 1,
    on_progress: OnProgress = None,
) -> dict[int, float]:
    """Let a matrix learn on vectors that stay as they are: each step costs a few products.

    A new head on a model that learns at once distorts what the model knew (Kumar et al. 2022,
    arXiv:2202.10054); one that has learned leaves little to change.

    Args:
        head: (D, D), changed in place.
        vectors: float (N, D).
        loss: of the unit vectors that come out, float (N, D).
        n_steps: steps of AdamW.
        learning_rate: the largest; it falls in a line to nothing.
        score: says how good the head is now, higher is better; the best one is kept, which may be
            the one that has not learned. None keeps the last.
        every: after so many steps it is asked, and at both ends.
        on_progress: is told of the steps.

    Returns:
        the score by the number of steps.
    """
    optimizer = torch.optim.AdamW(head.parameters(), lr=learning_rate, weight_decay=0)
    curve: dict[int, float] = {}
    best = head.weight.detach().clone()
    for step in range(n_steps + 1):
        if score is not None and (step % every == 0 or step == n_steps):
            curve[step] = score()
            if curve[step] >= max(curve.values()):
                best = head.weight.detach().clone()
        if step == n_steps:
            break
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / n_steps)
        found = loss(functional.normalize(head(vectors), dim=1))
        optimizer.zero_grad()
        found.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if on_progress is not None:
            on_progress(1)
    if score is not None:
        with torch.no_grad():
            head.weight.copy_(best)
    return curve

"""Losses of the sequence model, pure functions; importing this module needs torch.

Symbols: n positions, K negatives shared by all of them, M items, d width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def sampled_softmax(
    states: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    is_target: Tensor,
    log_expected: Tensor | None = None,
) -> Tensor:
    """Give the mean of -log p(target), with the sum over all items estimated from a sample.

    p = exp(s⁺) / (exp(s⁺) + Σ_k exp(s_k) / e_k), where e_k = K q_k is how often negative k is
    expected in the sample (Bengio and Senécal 2008; the target itself is always there and needs no
    correction). A negative that is the position's own target is left out.

    Args:
        states: float (n, d).
        positives: float (n, d), the vector of each position's target.
        negatives: float (K, d).
        is_target: bool (n, K), negatives that are the position's own target.
        log_expected: float (K,), log e_k; None corrects nothing.
    """
    right = (states * positives).sum(dim=1, dtype=torch.float32)  # (n,)
    if log_expected is None:
        logits = states @ negatives.T  # (n, K)
    else:
        logits = torch.addmm(-log_expected.to(states.dtype), states, negatives.T)
    logits = logits.float().masked_fill_(is_target, -torch.inf)
    whole = torch.logaddexp(right, torch.logsumexp(logits, dim=1))
    return (whole - right).mean()


def full_softmax(states: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Give the mean of -log p(target) over all items.

    Args:
        states: float (n, d).
        items: float (M, d).
        targets: int (n,), rows of items.
    """
    return F.cross_entropy((states @ items.T).float(), targets)

"""The net: item vectors in, states out; importing this module needs torch.

Shapes: B sequences, T positions, d width, h heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

Dropout = Callable[[Tensor], Tensor]


class MaskPool:
    """Dropout by slices of one long mask.

    Drawing a mask for each call takes a fifth to a third of the time of a step; a slice from a
    random place of a long mask costs little and serves as well.

    Args:
        rate: share of values left out.
        generator: draws the mask and the places.
        size: length of the mask; a larger call draws its own.
    """

    def __init__(self, rate: float, generator: torch.Generator, size: int = 1 << 22) -> None:
        self.rate = rate
        self.generator = generator
        self.mask = self._draw(size if rate > 0 else 0)

    def _draw(self, size: int) -> Tensor:
        mask = torch.empty(size, device=self.generator.device)
        mask.bernoulli_(1 - self.rate, generator=self.generator)
        return mask.div_(1 - self.rate)

    def __call__(self, values: Tensor) -> Tensor:
        if self.rate == 0:
            return values
        n = values.numel()
        if n >= len(self.mask):
            self.mask = self._draw(2 * n)
        places = torch.randint(
            len(self.mask) - n,
            (1,),
            generator=self.generator,
            device=self.generator.device,
        )
        start = int(places)
        return values * self.mask[start : start + n].view(values.shape).to(values.dtype)


class Attention(nn.Module):
    """Causal self-attention of h heads."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.inner = nn.Linear(width, 3 * width)
        self.outer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        heads = self.inner(x).view(n, length, 3, self.n_heads, width // self.n_heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # each (B, h, T, d / h)
        found = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.outer(found.transpose(1, 2).reshape(n, length, width))


class Forward(nn.Module):
    """Two layers at each position: ReLU in SASRec, SwiGLU (Shazeer 2020) in LiGR."""

    def __init__(self, width: int, *, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        hidden = 2 * width if gated else width
        self.inner = nn.Linear(width, 2 * hidden if gated else hidden)
        self.outer = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.inner(x)
        if not self.gated:
            return self.outer(F.relu(inner))
        gate, value = inner.chunk(2, dim=-1)
        return self.outer(F.silu(gate) * value)


class Block(nn.Module):
    """One layer: x + a(LN(x)), then x + f(LN(x)), a attention and f the layers at each position.

    SASRec (Kang and McAuley 2018, arXiv:1808.09781) adds plainly; LiGR (Borisyuk et al. 2025,
    arXiv:2502.03417; eSASRec, arXiv:2508.06450) adds σ(Wx) ∘ a(LN(x)) and likewise for f.
    """

    def __init__(self, width: int, n_heads: int, *, gated: bool) -> None:
        super().__init__()
        self.attention = Attention(width, n_heads)
        self.forward_layers = Forward(width, gated=gated)
        self.norm_1 = nn.LayerNorm(width)
        self.norm_2 = nn.LayerNorm(width)
        self.gate_1 = nn.Linear(width, width) if gated else None
        self.gate_2 = nn.Linear(width, width) if gated else None

    def forward(self, x: Tensor, dropout: Dropout | None = None) -> Tensor:
        x = x + self._kept(self.attention(self.norm_1(x)), x, self.gate_1, dropout)
        return x + self._kept(self.forward_layers(self.norm_2(x)), x, self.gate_2, dropout)

    @staticmethod
    def _kept(added: Tensor, x: Tensor, gate: nn.Module | None, dropout: Dropout | None) -> Tensor:
        if gate is not None:
            added = added * torch.sigmoid(gate(x))
        return added if dropout is None else dropout(added)


class Encoder(nn.Module):
    """Reads item vectors (B, T, d) and gives the state after each of them, (B, T, d).

    Positions count from the end of the sequence, so that the last event always stands at the same
    place. Sequences are padded at the right: since attention looks back only, padding is never
    seen.
    """

    def __init__(
        self, *, width: int, n_blocks: int, n_heads: int, max_length: int, block: str
    ) -> None:
        super().__init__()
        self.scale = math.sqrt(width)
        self.positions = nn.Parameter(torch.empty(max_length, width))
        self.blocks = nn.ModuleList(
            Block(width, n_heads, gated=block == "ligr") for _ in range(n_blocks)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, vectors: Tensor, lengths: Tensor, dropout: Dropout | None = None) -> Tensor:
        steps = torch.arange(vectors.shape[1], device=vectors.device)
        places = (lengths[:, None] - 1 - steps).clamp(min=0)  # (B, T)
        x = vectors * self.scale + F.embedding(places, self.positions)
        if dropout is not None:
            x = dropout(x)
        for block in self.blocks:
            x = block(x, dropout)
        return self.norm(x)


class LastState(nn.Module):
    """Gives the state after the last real event, (B, d)."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        states = self.encoder(vectors, lengths)
        last = (lengths - 1)[:, None, None].expand(-1, 1, states.shape[2])
        return states.gather(1, last).squeeze(1)


class ItemTable(nn.Module):
    """Gives item vectors z_i = t_i W + g(n_i) m e_i.

    t_i is the item's text vector, W a learned projection, e_i the item's own learned vector,
    g(n) = σ(a + b log((n + 1) / 5)) how far its n events are trusted, with a and b learned and
    g(0) = 0, and m leaves e_i out at random in training. An item with text only has z_i = t_i W,
    one with its identity only z_i = e_i.

    Args:
        counts: int (N,), events of each item in training.
        width: d.
        vectors: float32 (N, D), t_i; None without text.
        identity: whether items have e_i.
        identity_dropout: share of items whose e_i is left out.
    """

    evidence: Tensor
    touched: Tensor
    vectors: Tensor

    def __init__(
        self,
        counts: Tensor,
        width: int,
        *,
        vectors: Tensor | None,
        identity: bool,
        identity_dropout: float,
    ) -> None:
        super().__init__()
        self.register_buffer("evidence", torch.log((counts + 1) / 5).float(), persistent=False)
        self.register_buffer("touched", (counts > 0).float(), persistent=False)
        self.identity_dropout = identity_dropout
        self.own = nn.Parameter(torch.empty(len(counts), width)) if identity else None
        text = torch.zeros(len(counts), 0) if vectors is None else vectors
        self.register_buffer("vectors", text, persistent=False)
        self.projection = nn.Parameter(torch.empty(text.shape[1], width))
        is_both = identity and vectors is not None
        self.trust = nn.Parameter(torch.tensor([0.0, 1.0])) if is_both else None

    def forward(self, items: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Give the vectors of items (M,) as (M, d); a generator is given in training only."""
        if self.own is None:
            return self._text(items)
        own = F.embedding(items, self.own)
        if self.trust is None:
            return own
        trust = torch.sigmoid(self.trust[0] + self.trust[1] * self.evidence[items])
        trust = trust * self.touched[items]
        if generator is not None and self.identity_dropout > 0:
            drawn = torch.rand(len(items), generator=generator, device=items.device)
            trust = trust * (drawn >= self.identity_dropout)
        return self._text(items) + trust[:, None] * own

    def _text(self, items: Tensor) -> Tensor:
        return self.vectors[items] @ self.projection


class SequenceNet(nn.Module):
    """The items' vectors and the encoder that reads them."""

    def __init__(self, table: ItemTable, encoder: Encoder) -> None:
        super().__init__()
        self.table = table
        self.encoder = encoder

    def begin(self, generator: torch.Generator) -> None:
        """Draw all weights from N(0, .02), as BERT does; biases are 0, norms and trust stay."""
        for name, weight in self.named_parameters():
            if "norm" in name or name == "table.trust":
                continue
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            else:
                nn.init.normal_(weight, std=0.02, generator=generator)

"""The interfaces where everything meets.

Shapes: B queries in a batch, K candidates per query, T history length, U users, N items in the
catalogue, D vector width, S sources. Inside, users and items are rows (int32, -1 = none). A missing
score is NaN, never 0. Everything is batched: one request is a batch of one; no method returns two
shapes.

What is not fitted does not exist: `fit` (a classmethod whose further arguments differ from part to
part) returns a frozen object. The laws of each contract are tests in `tests/contracts/` that every
implementation inherits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats, Mask, Rows
from longtale.data.arrivals import Arrivals
from longtale.data.candidates import Scale
from longtale.data.dataset import Dataset
from longtale.data.query import Queries
from longtale.data.record import Appended, KeptSlate, Record, RecordKind, Stored
from longtale.schema import Serves
from longtale.settings import Settings
from longtale.stages import Advance

State = Mapping[str, NDArray[np.generic]]
"""Named arrays: all that a fitted part needs besides its settings."""
Purpose = Literal["passage", "query"]
OnProgress = Advance | None
"""Is told how many units were done since the last call; None where nobody asks."""
Encode = Callable[[Sequence[str]], Floats]
"""Gives float32 (n, D) unit rows of n texts."""


class TextEncoder(Protocol):
    """Turns text into unit vectors.

    Laws: rows have length 1; a text's vector does not depend on its neighbours; a blank text is a
    zero row; same fingerprint, same vectors; what `save` wrote answers the same without torch.
    """

    @property
    def dim(self) -> int:
        """D."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the vectors."""
        ...

    def encode(
        self, texts: Sequence[str], *, purpose: Purpose = "passage", on_progress: OnProgress = None
    ) -> Floats:
        """Give float32 (N, D)."""
        ...

    def save(self, folder: Path) -> None:
        """Write all that is needed to encode queries without torch."""
        ...


@runtime_checkable
class Literate(Protocol):
    """A text encoder that knows words whole, and can list them."""

    def words(self) -> frozenset[str]:
        """Give them in lower case; none where it knows only parts of words."""
        ...


class Persistent(Protocol):
    """Survives as settings and named arrays. Law: bit-equal answers after a round trip."""

    @property
    def settings(self) -> Settings:
        """What it was fitted with."""
        ...

    def state(self) -> State:
        """Give the fitted arrays."""
        ...

    @classmethod
    def restore(cls, settings: Any, state: State) -> Self:
        """Build the fitted object again.

        Args:
            settings: of the part's own class of settings, which no common type can name.
            state: what `state` gave.
        """
        ...


class Retriever(Persistent, Protocol):
    """Says for a whole catalogue how well each item suits each request.

    Laws: a batch equals singles; deterministic for one seed; save and load identical; NaN where it
    cannot say (an item it never saw, a user it does not serve); the history in the request
    answers, whoever asks.
    """

    serves: ClassVar[Serves]

    @property
    def name(self) -> str:
        """What it is called in settings, answers and reports."""
        ...

    def scores(self, queries: Queries) -> Floats:
        """Give float32 (B, N), larger is better, NaN where it cannot say."""
        ...


@runtime_checkable
class Citing(Protocol):
    """A retriever that can say which items of a history speak for an item."""

    def evidence(self, history: Rows, items: Rows) -> Floats:
        """Give what each of T items of a history speaks for each of K items, float32 (T, K)."""
        ...


@runtime_checkable
class Imagining(Protocol):
    """A retriever that can imagine what somebody might have chosen who says what they want."""

    def imagined(self, queries: Queries) -> Queries:
        """Give those who said something, and have no history, one that suits their words.

        Law: all other requests stay as they are.
        """
        ...


@runtime_checkable
class Narrowing(Protocol):
    """A retriever whose scores of some items cost much less than those of all."""

    @property
    def n_items(self) -> int:
        """How many items it scores; those that came later it does not know."""
        ...

    def scores_at(self, queries: Queries, items: Rows) -> Floats:
        """Give the scores of C items, int32 (C,): float32 (B, C); law: those of `scores`."""
        ...


@runtime_checkable
class Updatable(Protocol):
    """Learns from new events without being fitted again.

    Laws: equals fitting on old and new within a stated tolerance; the old object is untouched.
    """

    def updated(self, dataset: Dataset, events: Arrivals) -> Self:
        """Give a new fitted object.

        Args:
            dataset: old and new, as `appended` gives it.
            events: what is new in it; dismissals teach nothing.
        """
        ...


@runtime_checkable
class Forgetting(Protocol):
    """A part that keeps something of each single user, and can let go of it."""

    def without_user(self, row: int) -> Self:
        """Give the same part without what it keeps of one user; all rows stay where they are."""
        ...


class Blender(Persistent, Protocol):
    """Puts the scores of S sources onto one scale and adds them up.

    Laws: one source in, same order out, among items of equal evidence; a dead source (all NaN)
    changes nothing else; the contributions sum to the blended score.
    """

    def contributions(self, queries: Queries, scores: Floats) -> Floats:
        """Give what each source adds to each item's score.

        Args:
            queries: B requests.
            scores: float32 (S, B, N), as the retrievers gave them, NaN where one cannot say.

        Returns:
            float32 (S, B, N) without NaN; the sum over sources is the blended score. Items that no
            source in use can score are -inf in the first source.
        """
        ...

    def knowing(self, dataset: Dataset) -> Self:
        """Give the blender that goes by what this dataset says of its items."""
        ...

    def narrowed(self, items: Rows, scale: Scale) -> Self:
        """Give the blender for a part of the catalogue; its columns are these items from then on.

        Law: with the scale of all scores, it gives these items what the whole blender gives them.

        Args:
            items: int32 (C,), rows of the items.
            scale: that of the scores of the whole catalogue.
        """
        ...

    def weights_at(self, queries: Queries, scores: Floats, items: Rows) -> Floats:
        """Give how far each source is trusted for some items, float32 (S, B, K), not negative.

        Args:
            queries: B requests.
            scores: float32 (S, B, N), as for `contributions`.
            items: int32 (B, K); those of padding (-1) mean nothing.
        """
        ...

    def uses(self, queries: Queries) -> Mask:
        """Say which of the S sources matter for these requests: the others need not be asked."""
        ...


class EventStore(Protocol):
    """The log of a service and the slates it showed; threads may share one object.

    Laws: what `append` returned from survives the loss of power; the same id twice is once; numbers
    rise, and whoever read up to s misses nothing at or below s, whoever else writes; a batch is
    kept whole or not at all; in memory, SQLite and PostgreSQL pass one suite.

    Raises:
        StoreError: from every method, where the store cannot be reached or written.
    """

    def append(self, records: Sequence[Record]) -> Appended:
        """Keep records, all or none; they are durable when this returns."""
        ...

    def append_unless_newer(self, records: Sequence[Record], seen: int) -> Appended | None:
        """Keep records that were made of what was known up to a number, or none of them: None.

        None where the log has something newer on the kind and subject of the first record, or
        where somebody was forgotten since; nobody writes between the look and the writing.
        """
        ...

    def read(self, after: int, limit: int, *, kinds: Sequence[RecordKind] = ()) -> list[Stored]:
        """Give the next records behind a number, in order; only some kinds where they are named."""
        ...

    def recent(self, kind: RecordKind, subject: str, n: int) -> list[Stored]:
        """Give the last n records of a kind about one subject, the oldest of these first."""
        ...

    def find(self, ids: Sequence[str]) -> list[Stored]:
        """Give the records with these ids, in the order of the log; unknown ids are passed over."""
        ...

    def last_seq(self) -> int:
        """Give the number of the last record; 0 where there is none."""
        ...

    def keep_slates(self, slates: Sequence[KeptSlate]) -> None:
        """Keep slates; one that is there already stays as it was."""
        ...

    def slate(self, slate_id: str) -> KeptSlate | None:
        """Give a slate as it was served; None where it is not known."""
        ...

    def slates_of(self, user: str, n: int) -> list[KeptSlate]:
        """Give the last n slates of a user, the latest first."""
        ...

    def forget(self, user: str) -> dict[str, int]:
        """Remove all records about a user and all their slates; say how many of each went.

        Later numbers stay as they are.
        """
        ...

    def compact(self) -> None:
        """Make sure that nothing of what was removed can be found in any file of the store."""
        ...

    def close(self) -> None:
        """Let go of files and connections; the object is of no use afterwards."""
        ...

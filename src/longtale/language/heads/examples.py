"""What heads learn from: two texts, what happened, and numbers beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from longtale.arrays import Floats
from longtale.errors import DataError, did_you_mean
from longtale.language.heads.settings import HeadSettings, HeadTask
from longtale.seeds import dealt

Text = str | tuple[str, str]


@dataclass(frozen=True)
class HeadExample:
    """Somebody was shown something.

    Args:
        user: what is known of them in words, such as titles of their history or a profile.
        item: the text of what was shown.
        labels: what happened, by task: 0 or 1, the number of a class, or a rating; a task that is
            not named is not known.
        features: further numbers, as many in all examples; NaN where unknown.
    """

    user: str
    item: str
    labels: Mapping[str, float] = field(default_factory=dict)
    features: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Lessons:
    """R examples as arrays; each text is held once.

    Args:
        texts: N texts, or pairs of texts.
        first: int64 (R,), which text is the user's, or which pair it is.
        second: int64 (R,), which text is the item's; of a pair, the pair again.
        features: float32 (R, F), NaN where unknown.
        labels: float32 (R, T), NaN where not known.
    """

    texts: tuple[Text, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    features: Floats
    labels: Floats

    @classmethod
    def of(cls, examples: Sequence[HeadExample], settings: HeadSettings) -> Self:
        """Take examples apart.

        Raises:
            DataError: there are none, their features differ in number, or a label is not allowed.
        """
        if not examples:
            raise DataError("there is no example; heads learn from pairs of texts with labels")
        numbers = {len(example.features) for example in examples}
        if len(numbers) > 1:
            raise DataError(
                f"examples have {' or '.join(map(str, sorted(numbers)))} features; give all of "
                "them the same numbers in the same order, NaN where one is unknown"
            )
        features = np.array([example.features for example in examples], dtype=np.float32)
        users = [example.user for example in examples]
        items = [example.item for example in examples]
        labels = np.column_stack([_labels(examples, task) for task in settings.tasks])
        _refuse_unknown(examples, settings)
        return replace(cls.told(users, items, features, settings), labels=labels)

    @classmethod
    def told(
        cls, users: Sequence[str], items: Sequence[str], features: Floats, settings: HeadSettings
    ) -> Self:
        """Take texts apart of which nobody knows what happened.

        Raises:
            DataError: there are not as many texts of users as of items, or as many rows of numbers.
        """
        if not len(users) == len(items) == len(features):
            raise DataError(
                f"{len(users)} texts of users, {len(items)} of items and {len(features)} rows of "
                "features were given; give as many of each, row by row"
            )
        places: dict[Text, int] = {}

        def place(texts: Sequence[Text]) -> NDArray[np.int64]:
            found = [places.setdefault(text, len(places)) for text in texts]
            return np.array(found, dtype=np.int64)

        if settings.reads == "pair":
            first = second = place(list(zip(users, items, strict=True)))
        else:
            first, second = place(users), place(items)
        unknown = np.full((len(first), len(settings.tasks)), np.nan, dtype=np.float32)
        return cls(tuple(places), first, second, features, unknown)

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: NDArray[np.integer]) -> Self:
        """Give some of the examples, with the texts of all."""
        return replace(
            self,
            first=self.first[rows],
            second=self.second[rows],
            features=self.features[rows],
            labels=self.labels[rows],
        )

    def split(self, share: float, rng: np.random.Generator) -> tuple[Self, Self]:
        """Give those to learn from and those held out; rows of one user's text stay together.

        Args:
            share: of the examples that are held out.
            rng: deals them out.

        Raises:
            DataError: all are of one user's text.
        """
        users = [text if isinstance(text, str) else text[0] for text in self.texts]
        numbers = {user: number for number, user in enumerate(users) if user.strip()}
        owners = np.array([numbers.get(user, -1) for user in users])[self.first]
        is_out = dealt(owners, max(2, round(1 / share)), rng) == 0
        if is_out.all() or not is_out.any():
            raise DataError(
                f"{len(self)} examples are too few to hold {share:.0%} out, since those of one "
                "user stay together; give more, or hand in held_out"
            )
        return self.take(np.flatnonzero(~is_out)), self.take(np.flatnonzero(is_out))


def check_known(lessons: Lessons, settings: HeadSettings, *, what: str) -> None:
    """Refuse examples that say nothing of a task.

    Raises:
        DataError: a task has no label.
    """
    for column, task in enumerate(settings.tasks):
        if np.isnan(lessons.labels[:, column]).all():
            raise DataError(f"none of the {len(lessons)} {what} has a label of task '{task.name}'")


def _labels(examples: Sequence[HeadExample], task: HeadTask) -> Floats:
    labels = np.array([e.labels.get(task.name, np.nan) for e in examples], dtype=np.float32)
    known = labels[~np.isnan(labels)]
    n_classes = {"click": 2, "conversion": task.classes, "rating": None}[task.kind]
    if n_classes is not None and not np.isin(known, np.arange(n_classes)).all():
        raise DataError(
            f"labels of task '{task.name}' reach from {known.min():g} to {known.max():g}; a "
            f"{task.kind} needs whole numbers from 0 to {n_classes - 1}"
        )
    if not np.isfinite(known).all():
        raise DataError(f"a label of task '{task.name}' is infinite; give finite numbers")
    return labels


def _refuse_unknown(examples: Sequence[HeadExample], settings: HeadSettings) -> None:
    names = [task.name for task in settings.tasks]
    for name in sorted({name for example in examples for name in example.labels}):
        if name not in names:
            raise DataError(
                f"there are labels of '{name}', which is no task; the tasks are "
                f"{', '.join(names)}{did_you_mean(name, names)}"
            )

"""The report: every number with its slice, its interval and how many users it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from longtale.data.splits.split import Protocol, ProtocolName
from longtale.errors import DataError, did_you_mean
from longtale.evaluate.accuracy import Values
from longtale.evaluate.measures import ACCURACY


@dataclass(frozen=True)
class Result:
    """One number.

    Args:
        model: who was asked.
        slice: over which users or targets, such as `all` or `tail-items`.
        metric: such as `ndcg@10`.
        value: mean over the slice's users; NaN where there is none.
        low: lower end of its interval; NaN where there is none.
        high: upper end.
        n: how many users (requests) the mean rests on.
    """

    model: str
    slice: str
    metric: str
    value: float
    low: float
    high: float
    n: int

    @property
    def is_accuracy(self) -> bool:
        """Whether more of it is better; of what lies beyond accuracy it depends on the aim."""
        return self.metric.split("@")[0] in ACCURACY


@dataclass(frozen=True, eq=False)
class Report:
    """All numbers of one evaluation.

    Args:
        protocol: what decides the numbers; only reports with the same stamp may be compared.
        results: in the order slice, model, metric. A slice in which nobody is does not appear.
        cost: what it took, such as `encode_cpu_s` and `peak_memory_mb`.
        n_requests: how many requests with targets were asked.
        n_left_out: how many had no target and so have no value.
        per_user: (model, slice, metric) to float64 (n,), for paired tests; not part of `as_dict`.
    """

    protocol: Protocol
    results: tuple[Result, ...]
    cost: Mapping[str, float] = field(default_factory=dict)
    n_requests: int = 0
    n_left_out: int = 0
    per_user: Mapping[tuple[str, str, str], Values] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """Who was asked, in order."""
        return tuple(dict.fromkeys(result.model for result in self.results))

    @property
    def slices(self) -> tuple[str, ...]:
        """Which slices hold anybody, in order."""
        return tuple(dict.fromkeys(result.slice for result in self.results))

    @property
    def metrics(self) -> tuple[str, ...]:
        """What was measured, in order."""
        return tuple(dict.fromkeys(result.metric for result in self.results))

    def find(self, model: str, metric: str, slice: str = "all") -> Result:
        """Give one result.

        Raises:
            DataError: the report does not hold it.
        """
        for result in self.results:
            if (result.model, result.slice, result.metric) == (model, slice, metric):
                return result
        raise DataError(self.missing(model, slice, metric))

    def missing(self, model: str, slice: str, metric: str) -> str:
        """Say what of a wanted number the report does not hold."""
        wanted = {"model": model, "slice": slice, "metric": metric}
        held = {"model": self.models, "slice": self.slices, "metric": self.metrics}
        for noun, name in wanted.items():
            if name not in held[noun]:
                hint = did_you_mean(name, held[noun])
                return f"the report has no {noun} '{name}'; it has {', '.join(held[noun])}{hint}"
        return f"the report has no '{metric}' of '{model}' in the slice '{slice}'"

    def as_dict(self) -> dict[str, Any]:
        """Give plain values for JSON, in a shape that stays; a number that is none is null."""
        return {
            "protocol": {
                **asdict(self.protocol),
                "n_requests": self.n_requests,
                "n_left_out": self.n_left_out,
            },
            "results": [
                {key: _null_if_nan(value) for key, value in asdict(result).items()}
                for result in self.results
            ],
            "cost": dict(self.cost),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from what `as_dict` gave; the values per user are lost.

        Raises:
            DataError: something is missing or unknown.
        """
        try:
            protocol = values["protocol"]
            return cls(
                Protocol(ProtocolName(protocol["name"]), protocol["stamp"]),
                tuple(Result(**_nan_if_null(result)) for result in values["results"]),
                {name: float(amount) for name, amount in values["cost"].items()},
                protocol["n_requests"],
                protocol["n_left_out"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"this is no report of an evaluation ({type(error).__name__}: {error}); "
                f"expected what `longtale evaluate --json` prints"
            ) from error

    def markdown(self, metric: str | None = None) -> str:
        """Write the metrics of all requests, one metric by slice, and the cost, as Markdown.

        Args:
            metric: the one that is shown by slice; None is the first of the report.

        Raises:
            DataError: the report does not hold that metric.
        """
        header = ["", "users", *self.models]
        lines = [f"**Protocol** `{self.protocol.stamp}`", "", _line(header)]
        lines.append(_line(["---", *["---:"] * (len(header) - 1)]))
        for block in self._blocks(metric):
            for name, results in block:
                cells = _cells(results, self.models)
                lines.append(_line([name, f"{_most_users(results)}", *cells]))
        lines += ["", self._caption()]
        if self.cost:
            lines += ["", _line(["cost", ""]), _line(["---", "---:"])]
            lines += [_line([name, f"{amount:.1f}"]) for name, amount in self.cost.items()]
        return "\n".join(lines) + "\n"

    def _blocks(self, metric: str | None) -> list[list[tuple[str, dict[str, Result]]]]:
        """Give blocks of rows, each row a name and the result of each model."""
        found: dict[tuple[str, str], dict[str, Result]] = {}
        for result in self.results:
            found.setdefault((result.slice, result.metric), {})[result.model] = result
        shown = self.metrics[0] if metric is None else metric
        if ("all", shown) not in found:
            raise DataError(self.missing(self.models[0], "all", shown))
        by_metric = [(m, found["all", m]) for m in self.metrics if ("all", m) in found]
        by_slice = [
            (f"{shown} {s}", found[s, shown])
            for s in self.slices
            if s != "all" and (s, shown) in found
        ]
        return [by_metric, by_slice]

    def _caption(self) -> str:
        return (
            f"{self.n_requests} requests; {self.n_left_out} without a target left out; "
            f"± is half the bootstrap interval over users"
        )


def _cells(results: Mapping[str, Result], models: Iterable[str]) -> list[str]:
    """Give one cell for each model; the best is bold where more is better."""
    known = [r.value for r in results.values() if r.is_accuracy and not math.isnan(r.value)]
    best = max(known, default=math.nan)
    return [_cell(results[model], best) if model in results else "" for model in models]


def _cell(result: Result, best: float) -> str:
    shown = _number(result.value)
    return f"{f'**{shown}**' if result.value == best else shown} {_half(result)}".rstrip()


def _half(result: Result) -> str:
    half = (result.high - result.low) / 2
    return "" if math.isnan(half) else f"±{_number(half)}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _most_users(results: Mapping[str, Result]) -> int:
    return max(result.n for result in results.values())


def _null_if_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _nan_if_null(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in result.items()}

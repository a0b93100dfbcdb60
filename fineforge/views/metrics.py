"""What a job has measured: a line per metric with its last value and its course, or all of it for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from fineforge.core.objects import ResourceKey
from fineforge.core.runs import Series
from fineforge.documents import answers
from fineforge.views.paint import Paint, cells
from fineforge.views.text import table

_BARS = "▁▂▃▄▅▆▇█"
COLUMNS = 24
"""Of a course, at most."""
_LEAST = 8
"""Where the terminal has no room for as many, there is no course."""


def write_metrics(job: ResourceKey, found: Mapping[str, Series], paint: Paint) -> str:
    """A table. Which run a metric is from is said where it is not the job's own, or where others have it too; what is true of all
    of them is said once."""
    where = {name: _where(job, found[name]) for name in sorted(found)}
    shared = next(iter(where.values())) if len(set(where.values())) == 1 and len(where) > 1 else ""
    last = {name: _value(series.last) for name, series in found.items()}
    room = paint.width - sum(2 + max(map(cells, words)) for words in (("metric", *found), ("last", *last.values()))) - 2
    room = min(room, COLUMNS) if room >= _LEAST else 0
    rows = [
        (name, last[name], sparkline(_values(found[name]), room) if room else "", "" if shared else words)
        for name, words in where.items()
    ]
    listed = table([("metric", "last", "course" if room else "", ""), *rows], paint, "  ") if rows else ["  none yet"]
    return "\n".join(
        [paint("strong", f"job {job.name}"), *listed, *(paint.wrap(f"all of them {shared}", "  ") if shared else [])]
    )


def metrics_data(spec: str, target: str, job: ResourceKey, found: Mapping[str, Series]) -> answers.Metrics:
    """Return the answer; JSON has no NaN and no infinity, so such a value is None."""
    metrics = {
        name: answers.Metric(
            last=_finite(series.last),
            run=series.run.id,
            run_name=series.run.name,
            also_in=[answers.Run(run.id, run.name) for run in series.also],
            points=[answers.Point(step, _finite(value)) for step, value in series.points],
        )
        for name, series in sorted(found.items())
    }
    return answers.Metrics(spec, target, job.name, metrics)


def sparkline(values: Sequence[float], columns: int = COLUMNS) -> str:
    """One character per value, many values in groups by their mean; what is no number is a `?`."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(_bar(value, low, high) for value in _grouped(values, columns))


def _grouped(values: Sequence[float], columns: int) -> list[float]:
    if len(values) <= columns:
        return list(values)
    edges = [len(values) * column // columns for column in range(columns + 1)]
    groups = [values[begin:end] for begin, end in pairwise(edges)]
    return [sum(group) / len(group) for group in groups]


def _bar(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return "?"
    return _BARS[0 if high == low else round((value - low) / (high - low) * (len(_BARS) - 1))]


def _values(series: Series) -> list[float]:
    return [value for _, value in series.points]


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _where(job: ResourceKey, series: Series) -> str:
    also = ", ".join(run.name for run in series.also)
    own = "" if series.run.id == job.name else f"from {series.run.name}"
    return ", ".join(part for part in (own, f"also in {also}" if also else "") if part)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

"""What a job has measured, as people and programs see it."""

from __future__ import annotations

import json

import pytest
from pydantic_core import to_jsonable_python

from fineforge.core.objects import ResourceKey
from fineforge.core.runs import Run, Series
from fineforge.views.metrics import COLUMNS, metrics_data, sparkline, write_metrics
from fineforge.views.paint import Paint, cells

JOB = ResourceKey("job", "j")
OWN, TRAIN, EVALUATE = Run("j", "j"), Run("1", "train"), Run("2", "evaluate")


def test_courses() -> None:
    assert sparkline([4, 3, 2, 1]) == "█▆▃▁"
    assert sparkline([1, 1, 1]) == "▁▁▁" and sparkline([7]) == "▁" and sparkline([]) == ""
    assert sparkline([1, float("nan"), 2, float("inf")]) == "▁?█?"
    many = sparkline([float(number) for number in range(1000)])
    assert len(many) == COLUMNS and many[0] == "▁" and many[-1] == "█"


def test_where_a_metric_is_from() -> None:
    found = {
        "accuracy": Series(EVALUATE, ((0, 0.5), (1, 0.75)), (TRAIN,)),
        "loss": Series(OWN, ((1, 2.0), (2, 1.0)), (TRAIN,)),
        "score": Series(OWN, ((1, 0.123456789),)),
    }
    shown = write_metrics(JOB, found, Paint(width=80))
    assert shown.splitlines() == [
        "job j",
        "  metric    last      course",
        "  accuracy  0.75      ▁█      from evaluate, also in train",
        "  loss      1         █▁      also in train",
        "  score     0.123457  ▁",
    ]
    assert max(cells(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize(("width", "course"), [(80, 24), (50, 16), (40, 0)])
def test_a_course_fits_beside_its_metric(width: int, course: int) -> None:
    found = {
        "eval_samples_per_second": Series(OWN, tuple((step, step * 1.5) for step in range(100)), (TRAIN,)),
        "loss": Series(OWN, ()),
    }
    shown = write_metrics(JOB, found, Paint(width=width)).splitlines()
    assert max(cells(line) for line in shown) <= width
    assert sum(character in "▁▂▃▄▅▆▇█" for character in shown[2]) == course and ("course" in shown[1]) == bool(course)


def test_what_is_true_of_all_is_said_once() -> None:
    found = {name: Series(OWN, ((1, 2.0),), (TRAIN,)) for name in ("loss", "eval_loss")}
    assert write_metrics(JOB, found, Paint()).splitlines()[-1] == "  all of them also in train"
    assert write_metrics(JOB, {}, Paint()) == "job j\n  none yet"


def test_as_json_it_is_json() -> None:
    """Python would write NaN, which no other reader takes."""
    data = metrics_data("s", "local", JOB, {"loss": Series(TRAIN, ((1, float("nan")), (2, 0.5)), (EVALUATE,))})
    assert json.loads(json.dumps(to_jsonable_python(data), allow_nan=False))["metrics"]["loss"] == {
        "last": 0.5,
        "run": "1",
        "run_name": "train",
        "also_in": [{"run": "2", "run_name": "evaluate"}],
        "points": [{"step": 1, "value": None}, {"step": 2, "value": 0.5}],
    }

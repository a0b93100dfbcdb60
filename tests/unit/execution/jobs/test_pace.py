"""How fast a training goes and how long it still takes: told where it is known, and nothing where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge.core.events import Event, EventKind
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Step, StepReason
from fineforge.core.runs import LogPosition, LogText, Run, Series
from fineforge.execution.follower import Follower, LogLines, tell_log
from fineforge.execution.pace import Pace
from fineforge.views.events import Lines, metrics_text
from fineforge.views.paint import Paint

STEP = Step("create job j", ResourceKey("job", "j"), Action.CREATE, StepReason.ABSENT)


def body(**inputs: str) -> dict[str, Any]:
    """A running job as ARM answers it, its step's inputs literal (recorded shape)."""
    given = {name: {"job_input_type": "literal", "value": value} for name, value in inputs.items()}
    given["mlflow_model_path"] = {"job_input_type": "mlflow_model", "uri": "azureml://registries/r/models/m/versions/1"}
    return {"properties": {"status": "Running", "jobs": {"fine_tune": {"inputs": given}}}}


@pytest.mark.parametrize(
    ("line", "inputs", "epoch", "percent"),
    [
        ("12:00:01 step 10/40  loss 1.2  15 tokens/s  30 s left", {}, None, 25.0),
        ("[INFO|trainer.py:2134] >>   Total optimization steps = 1,000", {}, None, 1.0),
        ("", {"max_steps": "20"}, None, 50.0),
        ("", {"max_steps": "-1", "num_train_epochs": "4"}, 1.0, 25.0),
        ("", {"num_train_epochs": "4"}, None, None),
        ("", {}, 1.0, None),
        ("Loading checkpoint shards: 100%|####| 2/2 [00:01<00:00]", {}, 1.0, None),
    ],
)
def test_how_far_it_is(line: str, inputs: dict[str, str], epoch: float | None, percent: float | None) -> None:
    pace = Pace()
    pace.read_line(line)
    pace.read_inputs(body(**inputs))
    assert pace.at(10, 0.0, epoch) == ({} if percent is None else {"percent": percent})


def test_how_fast_and_how_long() -> None:
    """Since the first step that was seen: who looks later does not know when it began."""
    pace = Pace()
    pace.read_inputs(body(max_steps="100"))
    assert pace.at(20, 1000.0) == {"percent": 20.0}
    assert pace.at(40, 1010.0) == {"percent": 40.0, "steps_per_second": 2.0, "seconds_left": 30.0}
    assert pace.at(110, 1045.0) == {"percent": 100.0, "steps_per_second": 2.0, "seconds_left": 0.0}


def test_without_a_total_only_the_speed() -> None:
    pace = Pace()
    pace.at(0, 0.0)
    assert pace.at(5, 10.0) == {"steps_per_second": 0.5}


def test_in_words() -> None:
    values = {"step": 40, "epoch": 2.0, "loss": 1.234, "percent": 40.0, "steps_per_second": 0.8, "seconds_left": 75.0}
    words = metrics_text(Event(EventKind.METRIC, STEP, values=values))
    assert words == "step 40, epoch 2, loss 1.234, 0.8 steps/s, about 1 min 15 s left"


class Telling:
    """A service that has the same to say at every look, but for what `seen` says was read."""

    def __init__(self, *pieces: LogText, **series: tuple[tuple[int, float], ...]) -> None:
        self.pieces, self.series = list(pieces), series

    def read_log(self, job: str, seen: LogPosition) -> tuple[list[LogText], LogPosition]:
        at = seen.get("pieces", 0)
        return self.pieces[at : at + 1], {"pieces": at + 1}

    def read_metrics(self, job: str) -> dict[str, Series]:
        return {name: Series(Run("j", "j"), points) for name, points in self.series.items()}


def followed(service: Telling, looks: int) -> list[Event]:
    told: list[Event] = []
    follower = Follower(STEP, service, told.append)  # type: ignore[arg-type]
    for _ in range(looks):
        follower.follow(body(num_train_epochs="2"))
    follower.end(body())
    return told


def test_an_apply_tells_log_metrics_and_pace() -> None:
    service = Telling(LogText("", "step 2/8  lo"), LogText("", "ss 1\n"), loss=((2, 1.0), (4, 0.5)), epoch=((2, 0.5), (4, 1.0)))
    told = followed(service, looks=3)
    assert [event.message for event in told if event.kind is EventKind.LOG] == ["step 2/8  loss 1"]
    first, second = [dict(event.values) for event in told if event.kind is EventKind.METRIC]
    assert first == {"step": 2, "loss": 1.0, "epoch": 0.5}
    assert second == {"step": 4, "loss": 0.5, "epoch": 1.0, "percent": 50.0}


def test_metrics_are_read_also_where_the_log_stands_still() -> None:
    """On Azure a log may not be readable while the job runs; every half minute is soon enough then."""
    now = [100.0]
    told: list[Event] = []
    follower = Follower(STEP, Telling(loss=((1, 1.0),)), told.append, lambda: now[0])  # type: ignore[arg-type]
    for second in (101.0, 129.0, 131.0, 132.0):
        now[0] = second
        follower.follow(body())
    assert [event.seconds for event in told if event.kind is EventKind.METRIC] == [31.0]


def test_quiet_hides_log_and_metrics() -> None:
    told = followed(Telling(LogText("", "a line\n"), loss=((1, 1.0),)), looks=1)
    loud: list[str] = []
    quiet: list[str] = []
    for event in told:
        Lines(loud.append, Paint())(event)
        Lines(quiet.append, Paint(), quiet=True)(event)
    assert loud == ["    job j: running", "    | a line", "    job j: step 1, loss 1"] and quiet == []


def test_several_logs_are_told_apart() -> None:
    lines = LogLines()
    assert lines.whole([LogText("", "begin\n"), LogText("train: std_log.txt", "one\ntw")]) == [
        "begin", "==> train: std_log.txt <==", "one",
    ]  # fmt: skip
    assert lines.whole([LogText("train: std_log.txt", "o\nthr"), LogText("", "end\n")]) == [
        "two",
        "==> the job itself <==",
        "end",
    ]
    assert lines.rest() == ["==> train: std_log.txt <==", "thr"]
    assert lines.rest() == []


def test_a_bar_that_is_drawn_in_one_line_is_told_as_it_ended() -> None:
    assert LogLines().whole([LogText("", " 10%|#    |\r 50%|###  |\r100%|#####|\r\nnext\r\n")]) == ["100%|#####|", "next"]


def test_the_log_alone() -> None:
    told: list[str] = []
    tell_log("j", Telling(LogText("", "a\nb")), told.append)  # type: ignore[arg-type]
    assert told == ["a", "b"]


def test_lines_tell_metrics_seldom_and_the_last_ones_always() -> None:
    """A training may log every second; where no line can be overwritten, that would bury all else."""
    now = [100.0]
    lines: list[str] = []
    view = Lines(lines.append, Paint(), clock=lambda: now[0])
    for second, step in ((100.0, 1), (101.0, 2), (109.0, 3), (110.0, 4), (115.0, 5)):
        now[0] = second
        view(Event(EventKind.METRIC, STEP, values={"step": step, "loss": 1.0, "grad_norm": 2.0}))
    view(Event(EventKind.DONE, STEP, seconds=20))
    assert [line.strip() for line in lines] == [
        "job j: step 1, loss 1",
        "job j: step 4, loss 1",
        "job j: step 5, loss 1",
        "✓ job j: created in 20 s",
    ]

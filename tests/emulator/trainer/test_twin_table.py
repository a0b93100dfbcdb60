"""The client tells of twins without importing the emulator: the two tables must agree."""

from __future__ import annotations

from fineforge.catalog import snapshot
from fineforge.emulator.runner.trainer.twin import FAMILIES
from fineforge.views.explain import twin_of


def test_explain_names_the_twin_that_is_built() -> None:
    names = {name for name, _ in snapshot.load().models}
    assert len(names) == 14
    for name in names:
        told = twin_of(name).replace("-", "")
        assert FAMILIES[name].architecture in told if name in FAMILIES else told.startswith("none"), name

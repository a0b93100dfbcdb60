"""The types of the facts in a saved plan, which `planner.summary` and the planner write.

A plan file may have been edited: everything that a view or an apply reads of its facts has its type checked first.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class _Closed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Open(BaseModel):
    """Further keys are permitted: nothing reads them one by one."""

    model_config = ConfigDict(strict=True, extra="allow")


class Workspace(_Closed):
    target: str
    subscription_id: str
    resource_group: str
    name: str
    location: str


class Characters(_Open):
    p50: int


class Checked(_Open):
    """A split's rows in numbers: `dataset.rows.summary`."""

    rows: int
    turns: int = 0
    characters: Characters | None = None


class Split(_Open):
    """Where a split's rows come from, and which of them are used: `dataset.recipe`."""

    source: str
    revision: str
    asset: str = ""
    checked: Checked | None = None
    rows: int | None = None
    percent: int | None = None
    sample: str | None = None
    seed: int | None = None

    @model_validator(mode="after")
    def _says_which_rows(self) -> Split:
        if not self.asset and self.rows is None and self.percent is None:
            raise ValueError("neither `rows` nor `percent` is set")
        if self.sample is not None and self.seed is None:
            raise ValueError("`sample` is set without `seed`")
        return self


class Overridden(_Closed):
    origin: str
    value: Any


class Parameter(_Closed):
    value: Any
    origin: str
    overridden: list[Overridden]


class Facts(_Closed):
    """All of `Plan.facts`. Raises ValidationError where a fact is unknown or has another type."""

    workspace: Workspace | None = None
    model: str | None = None
    twin: bool = False
    context_length: int | None = None
    component: str | None = None
    data: dict[str, Split] = {}
    parameters: dict[str, Parameter] = {}
    traffic: dict[str, dict[str, int]] = {}

"""The blocks that train: component, model, dataset, compute, job; and what their keys demand of each other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from fineforge.config.spec.names import COMPONENT_ID, COMPUTE_NAME, REGISTERED, ArmId, Column, Percent
from fineforge.config.validation import Shape, Version, choose


class Assets(Shape):
    """Which of a component's inputs take the model and the splits, and which output is the trained model."""

    model: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    trained_model: str | None = None


class Component(Shape):
    """The training component. Without a name, the task chooses it."""

    name: str | None = None
    version: Version | None = None
    registry: str = "azureml"
    id: Annotated[str, StringConstraints(pattern=COMPONENT_ID)] | None = None
    assets: Assets = Assets()
    """Only where a component's own names do not tell."""

    @model_validator(mode="after")
    def _one_of(self) -> Component:
        if self.id is not None and self.model_fields_set - {"id", "assets"}:
            raise choose("`id` already contains name, version and registry")
        return self


class Model(Shape):
    """The base model, or with `registered` a model of the workspace that is deployed without training."""

    name: str | None = None
    registry: str = "azureml"
    version: Version | None = None
    allow_retired: bool = False
    registered: Annotated[str, StringConstraints(pattern=REGISTERED)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Model:
        if (self.name is None) == (self.registered is None):
            raise choose("set either `name` or `registered`")
        return self


class Columns(Shape):
    """Which columns of a row become its messages: a list of them, or a prompt and its response."""

    messages: Column | None = None
    """A list of {role, content}, or as ShareGPT has it of {from, value}."""
    prompt: Column | None = None
    input: Column | None = None
    """Added to the prompt after a blank line where it is not empty, as Alpaca has it."""
    response: Column | None = None
    system: Column | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Columns:
        pair = {"prompt", "response"} <= self.model_fields_set
        if (self.messages is None) != pair or (self.messages and self.model_fields_set - {"messages", "system"}):
            raise choose("set either `messages`, or `prompt` and `response`")
        return self


class Split(Shape):
    """Which rows of a source split are used, and what becomes of them; in the order of these keys."""

    source: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Another source than the dataset's."""
    from_: str | None = Field(default=None, alias="from")
    percent: Percent | None = None
    rows: Annotated[int, Field(ge=1)] | None = None
    sample: Literal["first", "random"] = "first"
    seed: Annotated[int, Field(ge=0)] = 0
    """Of `sample: random`."""
    filter: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None
    """Rows for which this expression (CEL) is not true are left out."""
    columns: Columns | None = None
    holdout: Annotated[int, Field(ge=1, le=50)] | None = None
    """Percent of the rows, the last ones, that become the validation split. Only of `train`."""

    @model_validator(mode="after")
    def _one_of(self) -> Split:
        if self.percent is not None and self.rows is not None:
            raise choose("set either `percent` or `rows`")
        if "seed" in self.model_fields_set and self.sample != "random":
            raise choose("`seed` only applies with `sample: random`")
        return self


class Splits(Shape):
    train: Split
    validation: Split | None = None
    test: Split | None = None

    @model_validator(mode="after")
    def _held_out(self) -> Splits:
        others = [name for name in ("validation", "test") if (split := getattr(self, name)) and split.holdout]
        if others:
            raise choose(f"`holdout` is set in `{others[0]}`, but only `train` supports it")
        if self.train.holdout and self.validation is not None:
            raise choose("set either `train.holdout` or `validation`")
        return self

    def given(self) -> dict[str, Split]:
        """The splits that are written, in the order train, validation, test."""
        return {name: split for name in ("train", "validation", "test") if (split := getattr(self, name)) is not None}

    def made(self) -> tuple[str, ...]:
        """The splits that exist once the data is prepared: those that are written, and validation where rows are held out."""
        held = self.train.holdout is not None
        return tuple(name for name in ("train", "validation", "test") if getattr(self, name) or (held and name == "validation"))


class Dataset(Shape):
    """Where rows come from. A split with a source of its own does not read the dataset's."""

    source: Annotated[str, StringConstraints(min_length=1)] | None = None
    config: Annotated[str, StringConstraints(min_length=1)] | None = None
    """The configuration (subset) of an `hf://` dataset that has several."""
    splits: Splits

    @model_validator(mode="after")
    def _sources(self) -> Dataset:
        bare = [name for name, split in self.splits.given().items() if split.source is None]
        if self.source is None and bare:
            raise choose(f"set `source` for the dataset or for each split; `{bare[0]}` has none")
        return self

    def source_of(self, split: str) -> str:
        """What a split is read from. One that is held out of `train` has the source of `train`."""
        given = self.splits.given().get(split) or self.splits.train
        return given.source or self.source or ""


_OF_CLUSTERS = frozenset({"min_nodes", "max_nodes", "idle_seconds", "existing", "subnet", "public_ip", "identity"})


class StepSizes(Shape):
    """VM sizes of the pipeline's other steps."""

    model_import: str | None = None
    preprocess: str | None = None
    model_evaluation: str | None = None


class Compute(Shape):
    """A cluster; or `serverless`, or with `existing` one that somebody else looks after."""

    name: Annotated[str, StringConstraints(pattern=COMPUTE_NAME)] | None = None
    size: str | None = None
    min_nodes: Annotated[int, Field(ge=0, le=100)] = 0
    max_nodes: Annotated[int, Field(ge=1, le=100)] = 1
    idle_seconds: Annotated[int, Field(ge=60, le=86_400)] = 120
    tier: Literal["dedicated", "low_priority", "dedicated_then_low_priority"] = "dedicated"
    existing: bool = False
    serverless: bool = False
    step_sizes: StepSizes | None = None
    """Only of `serverless`: the steps that need less than `size`, the size of the training itself."""
    subnet: ArmId | None = None
    public_ip: bool | None = None
    """Of every node; None leaves it to the service, which gives one."""
    identity: Literal["system_assigned", "user_assigned"] | None = None
    user_identities: Annotated[tuple[ArmId, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _complete(self) -> Compute:
        if self.serverless and self.name:
            raise choose("set either `name` or `serverless: true`")
        if self.step_sizes is not None and not self.serverless:
            raise choose("`step_sizes` only applies with `serverless: true`: on a cluster, all steps use its size")
        if self.serverless and (given := self.model_fields_set & _OF_CLUSTERS):
            raise choose(f"`{sorted(given)[0]}` has no effect with `serverless: true`: no cluster is created")
        if (self.identity == "user_assigned") != bool(self.user_identities):
            raise choose("`identity: user_assigned` and `user_identities` require each other")
        if not self.serverless and not self.name:
            raise choose("set `name` and `size`, or `serverless: true`")
        if not self.existing and self.size is None:
            raise choose("set `size`, the VM size of a node")
        if self.min_nodes > self.max_nodes:
            raise choose("`min_nodes` is greater than `max_nodes`")
        return self


class Job(Shape):
    display_name: str | None = None
    experiment: str | None = None
    nodes: Annotated[int, Field(ge=1, le=100)] = 1
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    on_superseded: Literal["cancel", "keep"] = "cancel"

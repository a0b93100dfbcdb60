"""The spec: the user's YAML as typed, frozen values.

Here belong the keys, their types, patterns and defaults, and the translation of pydantic's errors into diagnostics. Checks that
need facts (allow lists, component inputs) are `fineforge.checks` and `fineforge.params`. Nothing here reads a file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from fineforge.core import SpecPath
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.source import Source

SPEC_NAME = r"^[a-z][a-z0-9-]{1,29}[a-z0-9]$"
ENDPOINT_NAME = r"^[a-zA-Z](?:-?[a-zA-Z0-9]){2,31}$"
"""3 to 32 characters, a letter first, single dashes: QUOTA in the service's documentation."""
COMPUTE_NAME = r"^[a-zA-Z][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]$"
ASSET_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}$"
"""Dots are refused by the service: `Resource name can only contain alphanumeric characters, dashes, and underscores`."""

Task = Literal["chat-completion", "text-generation", "text-classification", "summarization"]
ParameterValue = bool | int | float | str
Percent = Annotated[int, Field(ge=1, le=100)]


def _text(value: Any) -> Any:
    """Versions may be written as numbers: `version: 8`."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Version = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1, max_length=40)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Component(_Model):
    """The training component. Without a name, the task chooses it."""

    name: str | None = None
    version: Version | None = None
    registry: str = "azureml"
    id: Annotated[str, StringConstraints(pattern=r"^azureml://registries/[^/]+/components/[^/]+/versions/[^/]+$")] | None = None


class Model(_Model):
    """The base model, or with `registered` a model of the workspace that is deployed without training."""

    name: str | None = None
    registry: str = "azureml"
    version: Version | None = None
    allow_retired: bool = False
    registered: Annotated[str, StringConstraints(pattern=r"^azureml:[^:]+:[^:]+$")] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Model:
        if (self.name is None) == (self.registered is None):
            raise PydanticCustomError("choose", "give either `name` or `registered`")
        return self


class Split(_Model):
    """Which rows of a source split are used: the first `percent` or `rows`."""

    from_: str | None = Field(default=None, alias="from")
    percent: Percent | None = None
    rows: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Split:
        if self.percent is not None and self.rows is not None:
            raise PydanticCustomError("choose", "give either `percent` or `rows`")
        return self


class Splits(_Model):
    train: Split
    validation: Split | None = None
    test: Split | None = None

    def given(self) -> dict[str, Split]:
        """The splits that are used, in the order train, validation, test."""
        return {name: split for name in ("train", "validation", "test") if (split := getattr(self, name)) is not None}


class Dataset(_Model):
    source: Annotated[str, StringConstraints(min_length=1)]
    splits: Splits


class Compute(_Model):
    """A cluster; or `serverless`, or with `existing` one that somebody else looks after."""

    name: Annotated[str, StringConstraints(pattern=COMPUTE_NAME)] | None = None
    size: str | None = None
    min_nodes: Annotated[int, Field(ge=0, le=100)] = 0
    max_nodes: Annotated[int, Field(ge=1, le=100)] = 1
    idle_seconds: Annotated[int, Field(ge=60, le=86_400)] = 120
    tier: Literal["dedicated", "low_priority", "dedicated_then_low_priority"] = "dedicated"
    existing: bool = False
    serverless: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Compute:
        if self.serverless and self.name:
            raise PydanticCustomError("choose", "give either `name` or `serverless: true`")
        if not self.serverless and not self.name:
            raise PydanticCustomError("choose", "give `name` and `size`, or `serverless: true`")
        if not self.existing and self.size is None:
            raise PydanticCustomError("choose", "give `size`: the VM size of a node")
        if self.min_nodes > self.max_nodes:
            raise PydanticCustomError("choose", "`min_nodes` is more than `max_nodes`")
        return self


class Job(_Model):
    display_name: str | None = None
    experiment: str | None = None
    nodes: Annotated[int, Field(ge=1, le=100)] = 1
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    on_superseded: Literal["cancel", "keep"] = "cancel"


class MetricGate(_Model):
    name: str
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> MetricGate:
        if self.min is None and self.max is None:
            raise PydanticCustomError("choose", "give `min` or `max`")
        return self


class Message(_Model):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, StringConstraints(min_length=1)]


class Expect(_Model):
    """What an answer must be. Compared after spaces at both ends are cut."""

    contains: str | None = None
    equals: str | None = None


class SmokeGate(_Model):
    messages: Annotated[tuple[Message, ...], Field(min_length=1, strict=False)]
    parameters: dict[str, ParameterValue] = {}
    expect: Expect = Expect()


class Gates(_Model):
    metrics: Annotated[tuple[MetricGate, ...], Field(strict=False)] = ()
    smoke: Annotated[tuple[SmokeGate, ...], Field(strict=False)] = ()


class Register(_Model):
    name: Annotated[str, StringConstraints(pattern=ASSET_NAME)]


class Endpoint(_Model):
    name: Annotated[str, StringConstraints(pattern=ENDPOINT_NAME)] | None = None
    auth: Literal["key", "aml_token", "aad_token"] = "key"
    existing: bool = False


class Probe(_Model):
    """Seconds. The service's defaults are 10, 10, 2, and 30 failures."""

    initial_delay: Annotated[int, Field(ge=1)] = 10
    period: Annotated[int, Field(ge=1)] = 10
    timeout: Annotated[int, Field(ge=1)] = 2
    success_threshold: Annotated[int, Field(ge=1)] = 1
    failure_threshold: Annotated[int, Field(ge=1)] = 30


class Request(_Model):
    timeout_ms: Annotated[int, Field(ge=1, le=180_000)] = 5000
    max_concurrent_per_instance: Annotated[int, Field(ge=1)] = 1


class Deployment(_Model):
    size: str
    instances: Annotated[int, Field(ge=1, le=50)] = 1
    probe: Probe | None = None
    request: Request | None = None
    environment: dict[str, str] = {}
    rollout: Literal["blue_green", "recreate", "in_place"] = "blue_green"
    traffic_steps: Annotated[tuple[Percent, ...], Field(strict=False, min_length=1)] = (100,)
    keep_previous: Annotated[int, Field(ge=0, le=18)] = 0

    @model_validator(mode="after")
    def _rising(self) -> Deployment:
        if list(self.traffic_steps) != sorted(set(self.traffic_steps)) or self.traffic_steps[-1] != 100:
            raise PydanticCustomError("choose", "`traffic_steps` must rise and end with 100")
        return self


class Lifecycle(_Model):
    prevent_destroy: Annotated[tuple[str, ...], Field(strict=False)] = ()
    ignore: Annotated[tuple[str, ...], Field(strict=False)] = ()
    allow_unlisted: bool = False


class Spec(_Model):
    version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=SPEC_NAME)]
    task: Task = "chat-completion"
    targets: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    component: Component = Component()
    model: Model
    dataset: Dataset | None = None
    compute: Compute | None = None
    training: dict[str, ParameterValue] = {}
    optimization: dict[str, ParameterValue] = {}
    job: Job = Job()
    gates: Gates = Gates()
    register_: Register | None = Field(default=None, alias="register")
    endpoint: Endpoint | None = None
    deployment: Deployment | None = None
    tags: dict[str, Annotated[str, StringConstraints(max_length=256)]] = {}
    lifecycle: Lifecycle = Lifecycle()

    @property
    def trains(self) -> bool:
        """Whether a job is wanted; `model.registered` deploys without one."""
        return self.model.registered is None

    @property
    def parameters(self) -> dict[str, ParameterValue]:
        """`training` and `optimization` are one namespace."""
        return {**self.training, **self.optimization}


def parse(source: Source) -> Spec:
    """The typed spec. Raises FineforgeError with every error at once, each placed in the file."""
    data = source.data
    found = _namespace(data) + _blocks(data)
    try:
        spec = Spec.model_validate(data)
    except ValidationError as error:
        found += [_translate(detail, source) for detail in error.errors(include_url=False)]
    if found:
        raise FineforgeError(*sorted((source.place(d) for d in found), key=_position))
    return spec


def _namespace(data: Mapping[str, Any]) -> list[Diagnostic]:
    training, optimization = data.get("training"), data.get("optimization")
    if not isinstance(training, dict) or not isinstance(optimization, dict):
        return []
    return [
        Diagnostic(
            "FF124", f"`{key}` stands in `training` and in `optimization`", path=("optimization", key), hint="keep one of them"
        )
        for key in optimization
        if key in training
    ]


_NEEDED = {
    "dataset": "the data to train on",
    "compute": "where the job runs",
    "register": "the name of the trained model",
}


def _blocks(data: Mapping[str, Any]) -> list[Diagnostic]:
    """Blocks that depend on each other."""
    found = []
    model = data.get("model")
    if isinstance(model, dict) and "registered" not in model and "name" in model:
        found += [
            Diagnostic("FF121", f"`{block}` is missing", hint=f"`{block}` says {why}")
            for block, why in _NEEDED.items()
            if block not in data
        ]
    if "deployment" in data and "endpoint" not in data:
        found.append(Diagnostic("FF121", "`endpoint` is missing", path=("deployment",), hint="a deployment needs an endpoint"))
    return found


def _position(diagnostic: Diagnostic) -> tuple[int, int, str]:
    span = diagnostic.span
    return (span.line, span.column, diagnostic.code) if span else (0, 0, diagnostic.code)


def _translate(detail: ErrorDetails, source: Source) -> Diagnostic:
    """A pydantic error in a user's words. `loc` may hold class names and union tags; the source skips what is not in the file."""
    kind, where, context = detail["type"], _path(detail["loc"], source), detail.get("ctx", {})
    name = ".".join(str(part) for part in where)
    if kind == "extra_forbidden":
        return _unknown_key(where)
    if kind == "missing":
        missing = ".".join(str(part) for part in (*where, detail["loc"][-1]) if part != "")
        return Diagnostic("FF121", f"`{missing}` is missing", path=where)
    given = _shown(detail["input"])
    if kind == "choose":
        return Diagnostic("FF125", detail["msg"] if not name else f"`{name}`: {detail['msg']}", path=where)
    if kind == "string_pattern_mismatch":
        return Diagnostic(
            "FF123", f"`{name}: {given}` is not a valid name", path=where, hint=_PATTERNS.get(context["pattern"], "")
        )
    if kind == "literal_error":
        options = _options(context["expected"])
        return Diagnostic("FF122", f"`{name}` cannot be {given}", path=where, hint=_choose(str(detail["input"]), options))
    if kind in _RANGES:
        return Diagnostic("FF123", f"`{name}` is {given}, must be {_RANGES[kind].format(**context)}", path=where)
    expected = next((words for prefix, words in _TYPES.items() if kind.startswith(prefix)), "another kind of value")
    hint = "write `true` or `false`" if expected.startswith("true") else ""
    return Diagnostic("FF122", f"`{name}` must be {expected}, not {given}", path=where, hint=hint)


_RANGES = {
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "string_too_long": "{max_length} characters or fewer",
    "string_too_short": "{min_length} character or more",
    "too_short": "at least {min_length} entry long",
}

_TYPES = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "tuple": "a list",
    "list": "a list",
}

_PATTERNS = {
    SPEC_NAME: "3 to 31 characters: lower-case letters, digits and dashes, a letter first",
    ENDPOINT_NAME: "3 to 32 characters: letters, digits and single dashes, a letter first",
    COMPUTE_NAME: "2 to 32 characters: letters, digits and dashes, a letter first",
    ASSET_NAME: "letters, digits, dashes and underscores; the service refuses dots",
}


def _path(loc: tuple[int | str, ...], source: Source) -> SpecPath:
    path: SpecPath = ()
    for part in loc:
        if (*path, part) in source.keys or (*path, part) in source.values:
            path = (*path, part)
    return path


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def _options(expected: str) -> list[str]:
    return re.findall(r"'([^']+)'", expected) or [expected]


def _choose(given: str, options: list[str]) -> str:
    near = difflib.get_close_matches(given, options, 1)
    return f"did you mean `{near[0]}`?" if near else "one of " + ", ".join(f"`{option}`" for option in options)


def _unknown_key(path: SpecPath) -> Diagnostic:
    key, known = str(path[-1]), known_keys(path[:-1])
    near = difflib.get_close_matches(key, known, 1, cutoff=0.6)
    hint = f"did you mean `{near[0]}`?" if near else ("known here: " + ", ".join(f"`{k}`" for k in known) if known else "")
    return Diagnostic("FF120", f"unknown key `{'.'.join(str(part) for part in path)}`", path=path, hint=hint)


def known_keys(path: SpecPath) -> list[str]:
    """The keys that the spec knows below `path`."""
    model: Any = Spec
    for part in path:
        if isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part not in fields:
            return []
        model = _model_of(fields[part].annotation)
        if model is None:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_of(part)) is not None), None)

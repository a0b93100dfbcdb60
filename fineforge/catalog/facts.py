"""The fact types of the catalog. They hold what a registry or a region says, already typed; they decide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

_STRICT = {"extra": "forbid"}
"""For readers with pydantic: a key that a fact does not have is an error."""


@dataclass(frozen=True, slots=True)
class InputFact:
    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    """One input of a component."""

    name: str
    type: str
    """`string`, `integer`, `number`, `boolean`, or an asset type: `uri_file`, `mltable`, `mlflow_model`, `custom_model` ..."""
    optional: bool
    default: Any = None
    """Typed: a registry sends text (`"1"`, `"True"`); parsers turn it into the input's type."""
    enum: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""
    affects: str = "result"
    """`result`: part of the job's digest. `execution`: where and how it runs; not part of it."""
    used: bool = True
    """False where no step of the component reads it."""

    @property
    def is_asset(self) -> bool:
        """Whether it takes a model or data, and not a value."""
        return self.type not in ("string", "integer", "number", "boolean")


@dataclass(frozen=True, slots=True)
class ComponentFact:
    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    id: str
    """`azureml://registries/R/components/NAME/versions/V`."""
    name: str
    version: str
    registry: str
    inputs: Mapping[str, InputFact]
    outputs: Mapping[str, str]
    """Name -> type."""
    origin: str
    """`live`, or `snapshot YYYY-MM-DD`."""
    type: str = "pipeline"
    """`pipeline`, `command` ...: a node of a job names its component's type."""


@dataclass(frozen=True, slots=True)
class ModelFact:
    """A base model of a registry. Dates are ISO (`YYYY-MM-DD`); size names keep the registry's spelling."""

    __pydantic_config__: ClassVar[dict[str, str]] = _STRICT

    id: str
    """`azureml://registries/R/models/NAME/versions/V`."""
    name: str
    version: str
    registry: str
    type: str
    """`mlflow_model` or `custom_model`."""
    archived: bool
    tasks: tuple[str, ...]
    defaults: Mapping[str, Any]
    """`model_specific_defaults`, as sent; keys that are no inputs are bounds."""
    finetune_sizes: tuple[str, ...] | None
    """None: the metadata carries no list."""
    inference_sizes: tuple[str, ...] | None
    finetune_deprecation: str | None
    finetune_retirement: str | None
    inference_retirement: str | None
    context_length: int | None
    era: str
    """`tags` (before the migration), `system_metadata` (since), or `none`."""
    origin: str
    """`live`, or `snapshot YYYY-MM-DD`."""
    twin: bool = False
    """The emulator's stand-in: metric gates are not judged on it."""
    notes: tuple[str, ...] = ()
    """What the parser could not read, in words for a warning."""


@dataclass(frozen=True, slots=True)
class SizeFact:
    """A VM size. Memory in GiB, prices in USD an hour."""

    name: str
    gpus: int
    gpu_model: str
    gpu_memory_gib: float
    vcpus: int
    memory_gib: float
    retired: str | None
    """ISO date, where the size is retired or announced to be."""
    training: bool
    endpoint: bool
    skip_reserve: bool
    """Exempt from the 20 % quota reservation of online deployments."""
    family: str
    price_hour: Mapping[str, float] = field(default_factory=dict)
    """Region -> pay-as-you-go price; undated, so an estimate."""
    low_priority_price_hour: Mapping[str, float] = field(default_factory=dict)
    origin: str = ""

    def price_in(self, region: str, low_priority: bool = False) -> float | None:
        """About what an hour costs there: where the region has no price, that of another one."""
        prices = self.low_priority_price_hour if low_priority else self.price_hour
        return prices.get(region) or next(iter(prices.values()), None)

"""The blocks after training: gates, registration, endpoint, deployment; and what their keys demand of each other."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from fineforge.config.spec.names import ASSET_NAME, CODE, ENDPOINT_NAME, ENVIRONMENT, REGISTRY_NAME, Percent
from fineforge.config.validation import ParameterValue, Shape, choose


class MetricGate(Shape):
    name: str
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> MetricGate:
        if self.min is None and self.max is None:
            raise choose("set `min` or `max`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise choose("`min` is greater than `max`")
        return self


class Message(Shape):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, StringConstraints(min_length=1)]


class Expect(Shape):
    """What an answer must be. Compared after spaces at both ends are cut."""

    contains: str | None = None
    equals: str | None = None


class SmokeGate(Shape):
    messages: Annotated[tuple[Message, ...], Field(min_length=1, strict=False)]
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    expect: Expect = Expect()


class Gates(Shape):
    metrics: Annotated[tuple[MetricGate, ...], Field(strict=False)] = ()
    smoke: Annotated[tuple[SmokeGate, ...], Field(strict=False)] = ()


class Register(Shape):
    name: Annotated[str, StringConstraints(pattern=ASSET_NAME)]
    registry: Annotated[str, StringConstraints(pattern=REGISTRY_NAME)] | None = None
    """Published there too, under the same name and version, for other workspaces to deploy."""


class Endpoint(Shape):
    name: Annotated[str, StringConstraints(pattern=ENDPOINT_NAME, min_length=3, max_length=32)] | None = None
    auth: Literal["key", "aml_token", "aad_token"] = "key"
    existing: bool = False

    @model_validator(mode="after")
    def _named(self) -> Endpoint:
        if self.existing and self.name is None:
            raise choose("an existing endpoint needs its `name`")
        return self


class Probe(Shape):
    """Seconds. The service's defaults are 10, 10, 2, and 30 failures."""

    initial_delay: Annotated[int, Field(ge=1)] = 10
    period: Annotated[int, Field(ge=1)] = 10
    timeout: Annotated[int, Field(ge=1)] = 2
    success_threshold: Annotated[int, Field(ge=1)] = 1
    failure_threshold: Annotated[int, Field(ge=1)] = 30


class Request(Shape):
    timeout_ms: Annotated[int, Field(ge=1, le=180_000)] = 5000
    max_concurrent_per_instance: Annotated[int, Field(ge=1)] = 1


class Scoring(Shape):
    """Another scoring script than the one that an MLflow model brings along."""

    code: Annotated[str, StringConstraints(pattern=CODE)]
    """A code asset of the workspace."""
    script: Annotated[str, StringConstraints(min_length=1)]


class Deployment(Shape):
    size: str
    instances: Annotated[int, Field(ge=1, le=50)] = 1
    probe: Probe | None = None
    request: Request | None = None
    environment: Annotated[str, StringConstraints(pattern=ENVIRONMENT)] | None = None
    """What the container is made of, where it is not the model's own."""
    scoring: Scoring | None = None
    environment_variables: dict[str, str] = Field(default_factory=dict)
    egress: Literal["public", "private"] | None = None
    """Whether the container may reach the internet; None leaves it to the service, which lets it."""
    rollout: Literal["blue_green", "recreate", "in_place"] = "blue_green"
    traffic_steps: Annotated[tuple[Percent, ...], Field(strict=False, min_length=1)] = (100,)
    keep_previous: Annotated[int, Field(ge=0, le=18)] = 0

    @model_validator(mode="after")
    def _rising(self) -> Deployment:
        if list(self.traffic_steps) != sorted(set(self.traffic_steps)) or self.traffic_steps[-1] != 100:
            raise choose("`traffic_steps` must increase and end with 100")
        return self

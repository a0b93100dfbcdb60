"""The shapes of rules and of their cases, as they stand in the project file and in `policies/*.yaml`. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from fineforge.config.validation import Shape, choose

RULE_NAME = r"^[a-z][a-z0-9-]{1,61}[a-z0-9]$"
PATTERNS = {RULE_NAME: "3 to 63 characters: lower-case letters, digits and dashes, a letter first"}

Name = Annotated[str, StringConstraints(pattern=RULE_NAME)]
Text = Annotated[str, StringConstraints(min_length=1)]
Names = Annotated[tuple[Text, ...], Field(strict=False)]


class Policy(Shape):
    """A rule: one of the shipped ones (`use`), or one's own."""

    use: Name | None = None
    name: Name | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    """What the rule leaves open, by name; expressions see it as `with`."""
    level: Literal["deny", "warn"] | None = None
    """Of `use`: what a broken rule does; the shipped ones deny."""
    when: Text | None = None
    """The rule is only about plans for which this is true."""
    deny: Text | None = None
    """True where the rule is broken, and the plan must not be applied."""
    warn: Text | None = None
    """True where the rule is broken, and somebody should know."""
    message: Text | None = None
    at: Text | None = None
    """The key of the spec that is at fault, dotted."""
    except_: Names = Field(default=(), alias="except")
    """Specs that the rule is not about."""

    @model_validator(mode="after")
    def _one_of(self) -> Policy:
        if (self.use is None) == (self.name is None):
            raise choose("set either `use`, the name of a shipped rule, or `name`, the name of your own rule")
        if self.use is not None and (own := sorted(self.model_fields_set & {"deny", "warn", "message", "at"})):
            raise choose(f"`{own[0]}` is defined by the shipped rule; `use` accepts `with`, `level`, `when` and `except`")
        if self.name is not None and self.level is not None:
            raise choose("`level` is for `use`; your own rule sets `deny` or `warn`")
        if self.name is not None and (self.deny is None) == (self.warn is None):
            raise choose("set either `deny` or `warn`: an expression that is true if the rule is violated")
        if self.name is not None and self.message is None:
            raise choose("set `message`, the text shown if the rule is violated")
        return self


class Verdicts(Shape):
    """Names of the rules that are broken; all others of the file must hold."""

    deny: Names = ()
    warn: Names = ()


class Case(Shape):
    """A plan, or a spec, and what the rules must say to it."""

    name: Text
    spec: Text | dict[str, Any] | None = None
    """A spec's file, from this file's folder on, or what rules see as `spec`, written out."""
    plan: Text | dict[str, Any] | None = None
    """The JSON of a plan, likewise. Without it, the plan that creates everything that the spec's file names."""
    target: Text | None = None
    """Of a spec's file."""
    expect: Verdicts

    @model_validator(mode="after")
    def _one_of(self) -> Case:
        if self.spec is None and self.plan is None:
            raise choose("set `spec` or `plan`, the input of the rules")
        return self


class RulesFile(Shape):
    """`policies/*.yaml`."""

    rules: Annotated[tuple[Policy, ...], Field(strict=False)] = ()
    tests: Annotated[tuple[Case, ...], Field(strict=False)] = ()


class Shipped(Shape):
    """A rule that comes with fineforge, to be switched on by its name."""

    about: Text
    takes: dict[str, Literal["list"]] = Field(default_factory=dict)
    """What `with` must give it, and its type."""
    rules: Annotated[tuple[Policy, ...], Field(strict=False)]
    """Told as one: each of them has its place in the spec, and all have the shipped rule's name."""


class ShippedFile(Shape):
    shipped: dict[str, Shipped]

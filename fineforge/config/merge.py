"""Laying partial specs over each other: mappings key by key, everything else as a whole, and which layer each value is from.

Here belongs what wins over what. What the layers are, and what references in them mean, is `fineforge.config.compose`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fineforge.core.objects import SpecPath


@dataclass(frozen=True, slots=True)
class Rule:
    """Keys of a mapping that give way: where an upper layer says one of `says`, what lower layers say of `drops` is left out."""

    within: tuple[str, ...]
    """The mapping; `*` is any key."""
    says: tuple[SpecPath, ...]
    drops: tuple[SpecPath, ...]
    when: Any = None
    """Only where it says this value."""


def _rule(within: str, says: str, drops: str, when: Any = None) -> Rule:
    paths = [tuple(tuple(word.split(".")) for word in words.split()) for words in (says, drops)]
    return Rule(tuple(within.split(".")) if within else (), paths[0], paths[1], when)


RULES = (
    _rule("", "model.registered", "component dataset compute training optimization job register gates.metrics"),
    _rule("model", "registered", "name registry version allow_retired"),
    _rule("model", "name", "registered"),
    _rule("component", "id", "name version registry"),
    _rule("component", "name version registry", "id"),
    _rule("compute", "name", "serverless step_sizes"),
    _rule("compute", "serverless", "step_sizes", when=False),
    _rule(
        "compute",
        "serverless",
        "name min_nodes max_nodes idle_seconds existing subnet public_ip identity user_identities",
        when=True,
    ),
    _rule("compute", "identity", "user_identities", when="system_assigned"),
    _rule("dataset.splits", "validation", "train.holdout"),
    _rule("dataset.splits", "train.holdout", "validation"),
    _rule("dataset.splits.*", "percent", "rows"),
    _rule("dataset.splits.*", "rows", "percent"),
    _rule("dataset.splits.*", "sample", "seed", when="first"),
    _rule("dataset.splits.*.columns", "messages", "prompt input response"),
    _rule("dataset.splits.*.columns", "prompt response", "messages"),
)
"""Keys that exclude each other. What one layer says by itself is never changed: there a contradiction stays an error."""

BLOCKS = ("training", "optimization")
"""One namespace: a parameter in one of the two, in an upper layer, takes the place of the same one in the other."""


@dataclass(slots=True)
class Merged:
    """The layers laid so far."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[SpecPath, int] = field(default_factory=dict)
    """Path -> the number of the layer that it is from; of a mapping that several have, the uppermost. What is below a path that
    has no paths below it here is from the same layer."""
    taken: set[SpecPath] = field(default_factory=set)
    """What a null took away."""

    def lay(self, upper: dict[str, Any], number: int) -> None:
        """Lays `upper` over the others. The mappings of `upper` become part of the result, and change with it."""
        self._lay(self.data, upper, (), number)

    def origin(self, path: SpecPath) -> int | None:
        """The layer that the value at `path`, or its nearest ancestor, is from."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return None

    def _lay(self, lower: dict[str, Any], upper: dict[str, Any], path: SpecPath, number: int) -> None:
        for gone in list(_displaced(lower, upper, path)):
            self._drop(lower, path, gone)
        for key, value in upper.items():
            here = (*path, key)
            if value is None and key in lower:
                self._drop(lower, path, (key,))
                self.taken.add(here)
                continue
            if isinstance(value, dict) and isinstance(lower.get(key), dict):
                self._spread(here, lower[key])
                self._lay(lower[key], value, here, number)
            else:
                self._drop(lower, path, (key,))
                lower[key] = value
            self.origins[here] = number

    def _spread(self, path: SpecPath, block: dict[str, Any]) -> None:
        """Writes down for each key of a mapping where it is from, before they part ways."""
        for key in block:
            self.origins.setdefault((*path, key), self.origins[path])

    def _drop(self, block: dict[str, Any], path: SpecPath, gone: SpecPath) -> None:
        """Takes `gone`, seen from `path`, out of the mapping there; nothing where it is not in."""
        for key in gone[:-1]:
            inner = block.get(str(key))
            if not isinstance(inner, dict):
                return
            path = (*path, key)
            if path in self.origins:
                self._spread(path, inner)
            block = inner
        key = str(gone[-1])
        if key not in block:
            return
        whole, here = isinstance(block.pop(key), dict), (*path, key)
        self.origins.pop(here, None)
        for below in [entry for entry in self.origins if entry[: len(here)] == here] if whole else ():
            del self.origins[below]


def _displaced(lower: dict[str, Any], upper: dict[str, Any], path: SpecPath) -> Iterator[SpecPath]:
    """What gives way in `lower` since `upper` says something else of it."""
    for rule in RULES:
        if len(rule.within) != len(path) or any(word not in ("*", key) for word, key in zip(rule.within, path, strict=True)):
            continue
        said = [value for says in rule.says if (value := _at(upper, says)) is not None]
        if any(rule.when is None or (value == rule.when and type(value) is type(rule.when)) for value in said):
            yield from (gone for gone in rule.drops if _at(upper, gone) is None)
    if path:
        return
    for block, other in (BLOCKS, BLOCKS[::-1]):
        names, there = upper.get(block), lower.get(other)
        if isinstance(names, dict) and isinstance(there, dict):
            yield from ((other, name) for name, value in names.items() if value is not None and name in there)


def _at(data: Any, path: SpecPath) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data

"""What a plan does to a spec's model, in one word each: reviewers ask whether something trains before they ask what changes.

Derived from the steps alone, the most expensive first. Here is nothing about how it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from fineforge.core.plan import Action, Mode, Plan, Step


class Effect(StrEnum):
    TRAIN = "train"
    RETRAIN = "retrain"
    REGISTER = "register"
    """A new model, or a copy of one in a registry, and no job for it."""
    DEPLOY = "deploy"
    """The first deployment, with its endpoint."""
    REDEPLOY = "redeploy"
    """A new deployment, or another model in one that stays."""
    PREPARE = "prepare"
    """Something is made that the model needs, and not the model: a cluster, a data asset, an endpoint."""
    SETTINGS = "settings"
    """Something that exists is changed in place."""
    TRAFFIC = "traffic"
    """Nothing is made: requests go to another deployment."""
    RESTORE = "restore"
    """Something comes back from the archive."""
    REMOVE = "remove"
    """Something is deleted, archived or cancelled, and nothing is made instead."""


WORDS: Mapping[Effect, str] = {
    Effect.TRAIN: "trains",
    Effect.RETRAIN: "retrains",
    Effect.REGISTER: "re-registers without training",
    Effect.DEPLOY: "deploys",
    Effect.REDEPLOY: "redeploys",
    Effect.PREPARE: "creates clusters, data or endpoints",
    Effect.SETTINGS: "changes settings",
    Effect.TRAFFIC: "moves traffic",
    Effect.RESTORE: "restores what was archived",
    Effect.REMOVE: "removes objects",
}

_WEAK = (Effect.TRAFFIC, Effect.SETTINGS)
_MAKES = (Action.CREATE, Action.NEW_VERSION)
_REMOVES = (Action.DELETE, Action.ARCHIVE, Action.CANCEL)


def effects(plan: Plan) -> tuple[Effect, ...]:
    """Every effect that the plan has, the most expensive first; the weak ones only where there is no stronger one."""
    if plan.mode is Mode.DESTROY:
        return (Effect.REMOVE,) if plan.writes else ()
    strong = [effect for effect in (_trains(plan), _registers(plan), _deploys(plan)) if effect is not None]
    if strong:
        return tuple(strong)
    weak = {_weak(step) for step in plan.writes}
    return tuple(effect for effect in Effect if effect in weak)


def headline(found: tuple[Effect, ...]) -> str:
    """`retrains, redeploys`; `moves traffic only`; `no changes` where there are none."""
    if not found:
        return "no changes"
    only = " only" if len(found) == 1 and found[0] in _WEAK else ""
    return ", ".join(WORDS[effect] for effect in found) + only


def removals(plan: Plan) -> tuple[Step, ...]:
    """Steps that take something away, those first whose object is made again: a replacement."""
    made = {step.key for step in plan.steps if step.action in _MAKES}
    return tuple(sorted((step for step in plan.steps if step.action in _REMOVES), key=lambda step: step.key not in made))


def replaced(plan: Plan, step: Step) -> bool:
    """Whether the object that `step` removes is made again by the same plan."""
    return any(other.key == step.key and other.action in _MAKES for other in plan.steps)


def _trains(plan: Plan) -> Effect | None:
    jobs = {step.action for step in plan.steps if step.key.kind == "job"}
    if Action.NEW_VERSION in jobs:
        return Effect.RETRAIN
    return Effect.TRAIN if Action.CREATE in jobs else None


def _registers(plan: Plan) -> Effect | None:
    made = any(step.key.kind in ("model", "publication") and step.action in _MAKES for step in plan.steps)
    return Effect.REGISTER if made and _trains(plan) is None else None


def _deploys(plan: Plan) -> Effect | None:
    if not any(step.key.kind == "deployment" and (step.action in _MAKES or _swaps_model(step)) for step in plan.steps):
        return None
    first = any(step.key.kind == "endpoint" and step.action is Action.CREATE for step in plan.steps)
    return Effect.DEPLOY if first else Effect.REDEPLOY


def _swaps_model(step: Step) -> bool:
    return step.action is Action.UPDATE and any(change.path == "model" for change in step.changes)


def _weak(step: Step) -> Effect:
    if step.action in _REMOVES:
        return Effect.REMOVE
    if step.action is Action.RESTORE:
        return Effect.RESTORE
    if step.action in _MAKES:
        return Effect.PREPARE
    moves = step.changes and all(change.path.split(".")[0] == "traffic" for change in step.changes)
    return Effect.TRAFFIC if step.key.kind == "endpoint" and moves else Effect.SETTINGS

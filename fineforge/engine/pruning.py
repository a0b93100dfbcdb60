"""`apply --prune`: taking away what carries a project's tags and no spec of it wants any more.

It deletes for want of a file, so it is done only where every spec of the project was read and none is wrong. Which objects those
are, and the plan of their end, is `fineforge.engine.orphans`.
"""

from __future__ import annotations

from pathlib import Path

from fineforge.config import discovery
from fineforge.core.diagnostics import Diagnostic, FineforgeError, errors
from fineforge.core.gateway import Reader
from fineforge.engine import orphans
from fineforge.engine.batch import Planned, beside
from fineforge.engine.selection import Batch
from fineforge.host import git, worker
from fineforge.policies import judge


def with_orphans(planned: Planned, batch: Batch, gateway: Reader, allow_delete: bool) -> Planned:
    """The plans, and beside them those that end what no spec wants. Raises FF192 where that cannot be told, or was not meant."""
    if wrong := _wrong(planned, batch):
        hint = "mend them first: a spec that cannot be read may want what would be deleted"
        raise FineforgeError(Diagnostic("FF192", "`--prune` is refused: not every spec can be planned", hint=hint), *wrong)
    if reason := _refusal(batch, allow_delete):
        words, hint = reason
        raise FineforgeError(Diagnostic("FF192", f"`--prune` is refused: {words}", hint=hint))
    project = batch.specs[0].project
    names = [loaded.spec.name for loaded in batch.specs]
    wanted = frozenset(step.key for _, plan in planned.plans for step in plan.steps)
    left = orphans.orphans(names, project.name, gateway, wanted)
    ends = [orphans.destroy_plan(found.spec, project, gateway) for found in left]
    return beside(planned, [(loaded, judge.judged(orphans.spare(plan, wanted), loaded, worker.run)) for loaded, plan in ends])


def _wrong(planned: Planned, batch: Batch) -> list[Diagnostic]:
    unread = {**batch.failed, **planned.failed}
    found = [*batch.problems, *(one for problems in unread.values() for one in problems)]
    return [*errors(found), *(one for _, plan in planned.plans for one in errors(plan.diagnostics))]


def _refusal(batch: Batch, allow_delete: bool) -> tuple[str, str] | None:
    """Why nothing may be pruned, and what to do; None where it may. `batch` is what was read, for every target."""
    if batch.selected:
        return "only some specs were selected", "leave `--select` out"
    roots = {loaded.project.root for loaded in batch.specs}
    if len(roots) != 1 or not batch.specs[0].project.name:
        return "the specs are not of one project with a `fineforge.yaml`", "its name is what says which objects are the project's"
    (root,) = roots
    if others := unread(batch, root):
        return f"`{others[0]}` of the project was not read", f"apply the whole project: `{root}`"
    if git.is_shallow(root):
        return "the clone is shallow", "fetch all of it: `fetch-depth: 0` of actions/checkout"
    return None if allow_delete else ("it deletes", "`status` names what; with `--allow-delete` the plan is shown first")


def unread(batch: Batch, root: Path) -> list[Path]:
    """Specs of the project that are not in the batch: it cannot say that nobody wants what they want."""
    known = {loaded.path.resolve() for loaded in batch.specs}
    return [path for path in discovery.find([root])[0] if path.resolve() not in known]

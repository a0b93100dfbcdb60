"""The cases that are written beside rules: what the rules must say to a plan, or to a spec as if nothing existed yet.

Asks no workspace. What rules say to a plan is `judging`'s; how results look is the command line's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fineforge.config import project
from fineforge.config.loaded import SpecFile, SpecOptions, TargetedSpec
from fineforge.config.policy import Case
from fineforge.config.project import Project
from fineforge.core.diagnostics import Diagnostic, FineforgeError, Severity, SourceSpan
from fineforge.core.facts import World
from fineforge.core.gateway import Workspace
from fineforge.core.plan import Mode, Plan
from fineforge.engine import offline
from fineforge.host import files, worker
from fineforge.planner import Options
from fineforge.planner import plan as make_plan
from fineforge.planner.summary import shown_facts
from fineforge.policies import rules as reading
from fineforge.policies.judge import Verdict, spec_data, stopped_rule, verdicts
from fineforge.policies.rules import Book, Rule

PLAN_MAJOR = "1"
"""Of docs/plan.schema.json."""


@dataclass(frozen=True, slots=True)
class Result:
    """One case: what it was to be and what came of it, in words. It passed where `wrong` and `problems` are empty."""

    file: Path
    name: str
    span: SourceSpan
    wrong: tuple[str, ...] = ()
    problems: tuple[Diagnostic, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.wrong and not self.problems


def run(paths: tuple[Path, ...], allow_outside: bool = False) -> tuple[list[Result], list[Diagnostic]]:
    """Every case of the files, or of the project that the working directory is in; and what is wrong with rules and files.

    A case is about the rules of its own file; in a file without rules, about those of the project file.
    """
    where = project.find(paths[0].absolute().parent if paths else Path.cwd(), allow_outside)
    known = {book.file.resolve(): book for book in reading.books(where)}
    books = [known.get(Path(os.path.realpath(path))) or reading.read(path) for path in paths] or list(known.values())
    own = next((book for book in known.values() if book.file.name == project.FILE_NAME), None)
    problems = [problem for book in ([*books, own] if own and own not in books else books) for problem in book.problems]
    results = [
        _run(book, case, span, where, book.rules or (own.rules if own else ())) for book in books for case, span in book.cases
    ]
    if not results and not problems:
        hint = "add `tests:` to a file in the folder `policies`; see docs/how-to/policies.md"
        problems.append(Diagnostic("FF324", "there is no case to run", hint=hint))
    return results, problems


def _run(book: Book, case: Case, span: SourceSpan, where: Project, rules: tuple[Rule, ...]) -> Result:
    try:
        values = _values(case, book.file.parent, where, span)
    except FineforgeError as error:
        return Result(book.file, case.name, span, problems=error.diagnostics)
    found = list(verdicts(rules, values, worker.run))
    problems = [
        Diagnostic("FF323", f"the rule `{verdict.rule.name}` fails on the case `{case.name}`: {verdict.failure}", span=span)
        for verdict in found
        if verdict.failure
    ]
    problems += [stopped_rule(verdict, f"the case `{case.name}`") for verdict in found if verdict.stopped]
    problems += [
        Diagnostic(
            "FF324", f"the case `{case.name}` expects a result from rule `{name}`, which its file does not define", span=span
        )
        for name in dict.fromkeys((*case.expect.deny, *case.expect.warn))
        if name not in {rule.name for rule in rules}
    ]
    return Result(book.file, case.name, span, tuple(_wrong(case, found)), tuple(problems))


def _wrong(case: Case, found: list[Verdict]) -> list[str]:
    """What the rules said and should not have, and the other way round."""
    words = []
    levels = (("denies", Severity.ERROR, case.expect.deny), ("warns", Severity.WARNING, case.expect.warn))
    for verb, level, wanted in levels:
        told = {verdict.rule.name: verdict.message for verdict in found if verdict.message and verdict.rule.level is level}
        words += [f"`{name}` {verb}, but should not: {message}" for name, message in told.items() if name not in wanted]
        words += [f"`{name}` should {verb.removesuffix('s').replace('denie', 'deny')}" for name in wanted if name not in told]
    return words


def _values(case: Case, folder: Path, where: Project, span: SourceSpan) -> dict[str, Any]:
    """What the rules see. Raises FF324 where a file is not what it should be, and whatever is wrong with a spec."""
    values: dict[str, Any] = {}
    if isinstance(case.spec, str):
        file = folder / case.spec
        files.read(file, root=where.root, allow_outside=where.allow_outside)  # A case may not name a file of another project.
        spec = SpecFile.read(file, SpecOptions(case.target, allow_outside=where.allow_outside)).at(case.target)
        values["spec"] = spec_data(spec.spec, spec.project.tags)
        if case.plan is None:
            values["plan"] = _document(_first_plan(spec))
    elif case.spec is not None:
        values["spec"] = case.spec
    if isinstance(case.plan, str):
        values["plan"] = _read_plan(folder / case.plan, where, case.name, span)
    elif case.plan is not None:
        values["plan"] = case.plan
    return values


def _first_plan(spec: TargetedSpec) -> Plan:
    """Return the plan of a spec of which nothing exists yet, by the dated snapshot of the catalog."""
    desired = offline.render(spec)
    validated = offline.validate(spec)
    entry, name = spec.project.targets.get(spec.target), spec.target
    where = (
        Workspace(name, entry.subscription_id, entry.resource_group, entry.workspace) if entry else Workspace(name, "", "", "")
    )
    world = World({want.key: None for want in desired}, frozenset(want.key.kind for want in desired))
    shown = shown_facts(where, validated.facts, validated.parameters, {})
    options = Options(project=spec.project_name, target=name)
    return make_plan(spec.spec, desired, validated.facts, world, Mode.APPLY, options, shown)


def _document(made: Plan) -> Mapping[str, Any]:
    from fineforge.documents.plan import plan_data

    return plan_data([made])


def _read_plan(file: Path, where: Project, name: str, span: SourceSpan) -> Mapping[str, Any]:
    def refuse(words: str, hint: str = "") -> FineforgeError:
        return FineforgeError(Diagnostic("FF324", f"the case `{name}`: {words}", span=span, hint=hint))

    try:
        document = files.read_json(file, files.PLAN, where.root, where.allow_outside)
    except files.JsonError as error:
        raise refuse(f"`{file.name}` cannot be read: {str(error).lower()}") from None
    except FineforgeError as error:
        (found,) = error.diagnostics
        raise refuse(found.message, found.hint) from None
    version = document.get("format_version") if isinstance(document, dict) else None
    if not isinstance(version, str):
        raise refuse(f"`{file.name}` is not a plan", "write one with `fineforge plan SPEC --json-into FILE`")
    if version.partition(".")[0] != PLAN_MAJOR:
        raise refuse(f"`{file.name}` has plan format {version}, but this version reads {PLAN_MAJOR}", "write it again")
    plan: Mapping[str, Any] = document
    return plan

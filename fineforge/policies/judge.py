"""What the rules of a project say to a plan.

A rule sees the plan as programs read it (docs/plan.schema.json, of this one spec), the spec as it was composed, and its own
`with`. Nothing else: no clock, no file, no workspace; so a saved plan can be judged again, by the rules of today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fineforge.config.loaded import TargetedSpec
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, Severity
from fineforge.core.plan import Plan
from fineforge.core.redaction import visible_value
from fineforge.host.worker import WorkerError
from fineforge.policies import rules as reading
from fineforge.policies.evaluation import evaluator
from fineforge.policies.rules import Rule

if TYPE_CHECKING:
    pass

CODES = frozenset({"FF320", "FF321", "FF322", "FF323", "FF325"})
"""Everything that policies have to say."""

Run = Callable[..., list[Any]]
"""`fineforge.host.worker.run`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule that is broken (`message`), or could not be asked (`failure`); one whose message fails is both."""

    rule: Rule
    message: str = ""
    failure: str = ""
    stopped: str = ""
    """Why its evaluation was stopped, if it was."""
    skipped: int = 0
    """Rules after it, which were not evaluated then."""


def judged(made: Plan, loaded: TargetedSpec, run: Run) -> Plan:
    """The plan with what the project's rules say to it now among its diagnostics, in place of what they said before.

    `loaded` is the spec at the plan's target, `run` evaluates rules as `host.worker.run` does. FF320 where a rule denies, FF321
    where one warns. FF322, FF323 and FF325 where a rule has no verdict, which stops an apply as well.
    """
    before = tuple(found for found in made.diagnostics if found.code not in CODES)
    bare = made if before == made.diagnostics else replace(made, diagnostics=before)
    books = reading.books(loaded.project)
    if not books:
        return bare
    found = [problem for book in books for problem in book.problems]
    rules = [rule for book in books for rule in book.rules]
    if rules:
        from fineforge.documents import plan

        values = {"plan": plan.plan_data([bare]), "spec": spec_data(loaded.spec, loaded.project.tags)}
        found += [diagnostic for verdict in verdicts(rules, values, run) for diagnostic in _say(verdict, made.spec)]
    return replace(bare, diagnostics=(*before, *loaded.place(found)))


def spec_data(spec: Spec, tags: Mapping[str, str]) -> dict[str, Any]:
    """The spec as rules see it: every default filled in, what is not given left out, secrets hidden."""
    data = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    seen: dict[str, Any] = visible_value("", {**data, "tags": {**tags, **data["tags"]}})
    return seen


def verdicts(rules: Iterable[Rule], values: Mapping[str, Any], run: Run) -> Iterator[Verdict]:
    """Yield a verdict for each rule that is broken, fails or is stopped. `values`: `plan` and `spec`, each where there is one.

    The rules after one that is stopped are not evaluated: otherwise each could take as long.
    """
    name = (values.get("spec") or {}).get("name")
    asked = [rule for rule in rules if name not in rule.excepted]
    try:
        answers = run(evaluator, values, [rule.test for rule in asked])
    except WorkerError as stopped:
        yield from verdicts(asked[: stopped.item], values, run)
        yield Verdict(asked[stopped.item], stopped=str(stopped), skipped=len(asked) - stopped.item - 1)
        return
    yield from (Verdict(rule, *answer) for rule, answer in zip(asked, answers, strict=True) if any(answer))


def _say(verdict: Verdict, spec: str) -> Iterator[Diagnostic]:
    rule = verdict.rule
    if verdict.message:
        code = "FF320" if rule.level is Severity.ERROR else "FF321"
        hint = f"denied by the policy `{rule.name}` at {rule.span.file}:{rule.span.line}"
        yield Diagnostic(code, verdict.message, rule.level, rule.at, hint=hint)
    if verdict.stopped:
        yield stopped_rule(verdict, f"the plan of `{spec}`")
    if verdict.failure:
        message = f"the rule `{rule.name}` fails on the plan of `{spec}`: {verdict.failure}"
        hint = "test optional keys with `has(...)` first" if "there is no `" in verdict.failure else ""
        yield Diagnostic("FF323", message, span=rule.span, hint=hint)


def stopped_rule(verdict: Verdict, subject: str) -> Diagnostic:
    """Return FF325 for a rule that was stopped on a subject such as "the plan of `x`"."""
    message = f"the rule `{verdict.rule.name}` {verdict.stopped} on {subject}"
    hint = "use no loops within loops over long lists"
    if verdict.skipped:
        hint += f"; rules after it that were not evaluated: {verdict.skipped}"
    return Diagnostic("FF325", message, span=verdict.rule.span, hint=hint)

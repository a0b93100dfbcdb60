"""What the rules of a project say to a plan.

A rule sees the plan as programs read it (docs/plan.schema.json, of this one spec), the spec as it was composed, and its own
`with`. Nothing else: no clock, no file, no workspace; so a saved plan can be judged again, by the rules of today.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fineforge.config import cel
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, Severity
from fineforge.core.plan import Plan
from fineforge.core.redaction import redact, visible_value
from fineforge.policies import rules as reading
from fineforge.policies.rules import Expression, Rule

if TYPE_CHECKING:
    from fineforge.config.loaded import TargetedSpec

CODES = frozenset({"FF320", "FF321", "FF322", "FF323"})
"""Everything that policies have to say."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule that is broken (`message`), or could not be asked (`failure`); one whose message fails is both."""

    rule: Rule
    message: str = ""
    failure: str = ""


class _Failed(Exception):
    """Why an expression has no value, in words."""


def judged(made: Plan, loaded: TargetedSpec) -> Plan:
    """The plan with what the project's rules say to it now among its diagnostics, in place of what they said before.

    `loaded` is the spec at the plan's target. FF320 where a rule denies, FF321 where one warns; FF322 and FF323 where a rule
    cannot be used, which stops an apply as well: nobody knows what it would have said.
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
        found += [diagnostic for verdict in verdicts(rules, values) for diagnostic in _say(verdict, made.spec)]
    return replace(bare, diagnostics=(*before, *loaded.place(found)))


def spec_data(spec: Spec, tags: Mapping[str, str]) -> dict[str, Any]:
    """The spec as rules see it: every default filled in, what is not given left out, secrets hidden."""
    data = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    seen: dict[str, Any] = visible_value("", {**data, "tags": {**tags, **data["tags"]}})
    return seen


def verdicts(rules: Iterable[Rule], values: Mapping[str, Any]) -> Iterator[Verdict]:
    """Of each rule that is broken, or fails. `values`: `plan` and `spec`, each where there is one."""
    named = (values.get("spec") or {}).get("name")
    known = cel.context(values)
    for rule in rules:
        if named in rule.excepted:
            continue
        known.add_variable("with", dict(rule.values))
        try:
            if all(_truth(condition, known) for condition in rule.when) and _truth(rule.broken, known):
                yield Verdict(rule, *_message(rule, known))
        except _Failed as failure:
            yield Verdict(rule, failure=str(failure))


def _truth(expression: Expression, known: Any) -> bool:
    answer = _value(expression, known)
    if not isinstance(answer, bool):
        raise _Failed(f"`{_short(expression.text)}` must be true or false, got {_shown(answer)}")
    return answer


def _value(expression: Expression, known: Any) -> Any:
    try:
        return expression.program.execute(known)
    except Exception as error:  # the library's errors are of many builtin types
        raise _Failed(f"`{_short(expression.text)}`: {_why(error)}") from None


def _why(error: Exception) -> str:
    match error:
        case KeyError():
            return f"there is no `{error.args[0]}`"
        case IndexError():
            return "the index is past the end of a list"
        case RuntimeError() if name := cel.unknown_name(error):
            return f"there is no `{name}` here" if name in reading.SEEN else f"unknown function `{name}`"
        case TypeError():
            return "it combines values of different types"
    return "it cannot be evaluated"


def _message(rule: Rule, known: Any) -> tuple[str, str]:
    """The message with its values; and why one of them has none, which makes the rule no less broken."""
    parts, failure = [], ""
    for part in rule.message:
        try:
            parts.append(part if isinstance(part, str) else _shown(_value(part, known)))
        except _Failed as error:
            parts.append("?")
            failure = str(error)
    return redact(" ".join("".join(parts).split())), failure


def _shown(value: Any) -> str:
    """A value within a message: text as it is, a list by its entries."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, list):
        listed = ", ".join(_shown(entry) for entry in value[:_MOST]) or "nothing"
        return f"{listed} and {len(value) - _MOST} more" if len(value) > _MOST else listed
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(entry)}" for key, entry in sorted(value.items())[:_MOST])
    return _short(str(value), 200)


_MOST = 20
"""Entries of a list that a message shows."""


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _say(verdict: Verdict, spec: str) -> Iterator[Diagnostic]:
    rule = verdict.rule
    if verdict.message:
        code = "FF320" if rule.level is Severity.ERROR else "FF321"
        hint = f"denied by the policy `{rule.name}` at {rule.span.file}:{rule.span.line}"
        yield Diagnostic(code, verdict.message, rule.level, rule.at, hint=hint)
    if verdict.failure:
        message = f"the rule `{rule.name}` fails on the plan of `{spec}`: {verdict.failure}"
        hint = "test optional keys with `has(...)` first" if "there is no `" in verdict.failure else ""
        yield Diagnostic("FF323", message, span=rule.span, hint=hint)

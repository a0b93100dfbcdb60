"""The rules of a project: found in the project file and in `policies/*.yaml` beside it, and compiled.

One that cannot be used is a diagnostic with its file and line, and hides no other. Reading files is here; what rules say to a
plan is `judging`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files as packaged
from pathlib import Path

from fineforge.config import cel, project, source
from fineforge.config.policy import PATTERNS, Case, Policy, RulesFile, Shipped, ShippedFile
from fineforge.config.project import Project
from fineforge.config.source import Source
from fineforge.config.spec import Spec
from fineforge.config.validation import fit, known_keys, shown
from fineforge.core.diagnostics import Diagnostic, FineforgeError, Severity, SourceSpan, did_you_mean
from fineforge.core.objects import SpecPath
from fineforge.host import files, git
from fineforge.policies.evaluation import SEEN, Expression, Test

FOLDER = "policies"


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    level: Severity
    test: Test
    at: SpecPath
    excepted: frozenset[str]
    span: SourceSpan


@dataclass(frozen=True, slots=True)
class Book:
    """The rules and cases of one file."""

    file: Path
    rules: tuple[Rule, ...] = ()
    cases: tuple[tuple[Case, SourceSpan], ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    """FF1xx where the file is wrong, FF322 where a rule is."""


def books(where: Project) -> list[Book]:
    """Every file of the project that has rules or cases: the project file first, then those of the folder by name.

    What is applied as it was at another commit is held against the rules that the project has now.
    """
    if (today := git.now(where.root)) != where.root:
        try:
            where = project.find(today, where.allow_outside)
        except FineforgeError as error:
            return [Book(today / project.FILE_NAME, problems=error.diagnostics)]
    found = [of_project(where)] if where.policies else []
    folder = where.root / FOLDER
    inside = sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml")) if folder.is_dir() else []
    found += [read(file, where) for file in inside]
    return _without_doubles(found)


def of_project(where: Project) -> Book:
    """The rules of the project file."""
    if where.file is None:
        return Book(where.root / project.FILE_NAME)
    rules, problems = _compiled(where.policies, where.file, ("policies",))
    return Book(where.root / project.FILE_NAME, rules, (), problems)


def read(file: Path, where: Project | None = None) -> Book:
    """The rules and cases of one file of the folder, or of any other; what is wrong with it is in the book."""
    root, allow_outside = (where.root, where.allow_outside) if where else (None, False)
    try:
        parsed = _load(files.read(file, root=root, allow_outside=allow_outside), files.shown_path(file.absolute()))
    except FineforgeError as error:
        return Book(file, problems=error.diagnostics)
    data, found = fit(RulesFile, parsed, PATTERNS)
    if data is None:
        return Book(file, problems=tuple(parsed.place(diagnostic) for diagnostic in found))
    rules, problems = _compiled(data.rules, parsed, ("rules",))
    cases = tuple((case, parsed.span(("tests", number))) for number, case in enumerate(data.tests))
    return Book(file, rules, cases, problems)


_load = lru_cache(maxsize=64)(source.load)
"""The rules are asked for each spec of a project."""


def _without_doubles(found: Sequence[Book]) -> list[Book]:
    """Of two rules of one name only the first is kept; a shipped one may be used several times."""
    first: dict[str, Rule] = {}
    kept: list[Book] = []
    for book in found:
        rules, problems = list[Rule](), list(book.problems)
        for rule in book.rules:
            other = first.setdefault(rule.name, rule)
            if other is rule or rule.name in shipped():
                rules.append(rule)
                continue
            message = f"the rule `{rule.name}` is also in `{other.span.file}:{other.span.line}`"
            problems.append(Diagnostic("FF322", message, span=rule.span, hint="rename one of them"))
        kept.append(Book(book.file, tuple(rules), book.cases, tuple(problems)))
    return kept


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Shipped]:
    """The rules that come with fineforge, by name."""
    file = packaged("fineforge.policies") / "shipped.yaml"
    data, problems = fit(ShippedFile, source.load(file.read_bytes(), "shipped.yaml"), PATTERNS)
    if data is None:
        raise FineforgeError(*problems)
    return data.shipped


def _compiled(policies: Sequence[Policy], parsed: Source, path: SpecPath) -> tuple[tuple[Rule, ...], tuple[Diagnostic, ...]]:
    rules: list[Rule] = []
    found: list[Diagnostic] = []
    for number, policy in enumerate(policies):
        try:
            rules += _rules(policy, parsed, (*path, number))
        except FineforgeError as error:
            found += error.diagnostics
    return tuple(rules), tuple(found)


def _rules(policy: Policy, parsed: Source, path: SpecPath) -> Iterator[Rule]:
    """The rule, or all those that a shipped one is made of. Raises FF322, all problems of it at once."""
    if policy.use is None:
        yield _rule(policy, policy, parsed, path)
        return
    if policy.use not in shipped():
        hint = did_you_mean(policy.use, shipped(), "shipped are " + ", ".join(f"`{name}`" for name in shipped()))
        raise FineforgeError(_problem(parsed, (*path, "use"), f"unknown shipped rule `{policy.use}`", hint))
    ready = shipped()[policy.use]
    if problems := list(_not_given(policy, ready, parsed, path)):
        raise FineforgeError(*problems)
    for part in ready.rules:
        yield _rule(part, policy, parsed, path)


def _not_given(policy: Policy, ready: Shipped, parsed: Source, path: SpecPath) -> Iterator[Diagnostic]:
    for name in ready.takes:
        value = policy.with_.get(name)
        if value is None:
            yield _problem(parsed, path, f"`{policy.use}` needs `with: {{{name}: [...]}}`", ready.about)
        elif not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            yield _problem(parsed, (*path, "with", name), f"`{name}` must be a list of texts, got {shown(value)}", "")
    for name in policy.with_:
        if name not in ready.takes:
            known = ", ".join(f"`{entry}`" for entry in ready.takes) or "nothing"
            yield _problem(parsed, (*path, "with", name), f"`{policy.use}` does not take `{name}`", f"it takes {known}")


def _rule(policy: Policy, user: Policy, parsed: Source, path: SpecPath) -> Rule:
    """`user` is who switched the rule on: where it is the project itself, both are one."""
    found: list[Diagnostic] = []
    name = str(policy.name)

    def expression(key: str, text: str) -> Expression | None:
        try:
            return _expression(text)
        except cel.NotUnderstood as error:
            found.append(_problem(parsed, (*path, key), f"`{key}` of the rule `{name}` is invalid: {error}", _HINT))
            return None

    whens = dict.fromkeys(text for text in (policy.when, user.when) if text)
    when = [expression("when", text) for text in whens]
    key, level = ("deny", Severity.ERROR) if policy.deny else ("warn", Severity.WARNING)
    broken = expression(key, policy.deny or policy.warn or "")
    parts = [expression("message", text) if asks else text for text, asks in _parts(policy.message or "")]
    at = tuple((policy.at or "name").split("."))
    if at[0] not in known_keys(Spec, ()):
        found.append(_problem(parsed, (*path, "at"), f"`at` of the rule `{name}` is not a key of a spec: `{policy.at}`", ""))
    if found or broken is None:
        raise FineforgeError(*found)
    if user.level is not None:
        level = Severity.ERROR if user.level == "deny" else Severity.WARNING
    message, conditions = tuple(part for part in parts if part), tuple(entry for entry in when if entry)
    place = parsed.span((*path, "use" if user.use is not None else "name"))
    return Rule(name, level, Test(broken, conditions, message, user.with_), at, frozenset(user.except_), place)


_HINT = "rules are CEL, as in `has(spec.deployment) && spec.deployment.instances > 2`"


@lru_cache(maxsize=512)
def _expression(text: str) -> Expression:
    """Raises NotUnderstood for what does not compile, or uses a name that no rule sees."""
    names = cel.names(text, cel.compiled(text))
    if strange := [f"`{name}`" for name in names if name not in SEEN]:
        raise cel.NotUnderstood(f"a rule can use `plan`, `spec` and `with`, but not {', '.join(strange)}")
    return Expression(text)


def _parts(message: str) -> Iterator[tuple[str, bool]]:
    """A message as texts and expressions (True); `{{` and `}}` are the braces themselves. What is not closed is text."""
    text, index = "", 0
    while index < len(message):
        end = _closing(message, index) if message[index] == "{" else 0
        if message[index : index + 2] in ("{{", "}}"):
            text, index = text + message[index], index + 2
        elif end:
            yield text, False
            yield message[index + 1 : end - 1], True
            text, index = "", end
        else:
            text, index = text + message[index], index + 1
    yield text, False


def _closing(message: str, start: int) -> int:
    """The index behind the brace that closes the one at `start`; 0 where none does. Braces within quotes do not count."""
    depth, quote = 0, ""
    for index in range(start, len(message)):
        letter = message[index]
        if quote:
            quote = "" if letter == quote and message[index - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
            if not depth:
                return index + 1
    return 0


def _problem(parsed: Source, path: SpecPath, message: str, hint: str) -> Diagnostic:
    return Diagnostic("FF322", message, span=parsed.span(path), hint=hint)

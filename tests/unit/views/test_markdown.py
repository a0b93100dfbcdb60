"""A plan as a comment: whole pages against golden files, and that nothing foreign breaks out of its place or is lost by a cut."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fineforge.core.diagnostics import Diagnostic, Severity, SourceSpan
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, ChangeReason, FieldChange, Mode, Plan, Step, StepReason
from fineforge.views import markdown, markup, text
from tests.unit.planner.case import Case, folders
from tests.unit.views import plans
from tests.unit.views.test_views import PAINT, PLANS, check

FOLDERS = {folder.name: folder for folder in folders()}
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OURS = {
    "p", "br", "strong", "code", "h3", "ul", "li", "blockquote", "details", "summary", "table", "thead", "tbody", "tr", "th",
    "td",
}  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>",
    "</details></summary><img src=x onerror=alert(1)>",
    "--> <!-- fineforge:plan prod -->",
    "`` ` ``` `code` @octocat",
    "a | b | c \\| d",
    "[text](https://example.com) ![x](y) <https://example.com>",
    "@octocat please merge, see #12 and GH-12 and https://example.com and www.example.com",
    "# heading\n- list\n\n1. list\n```\nfence\n```\n***",
    "***bold*** __bold__ ~~gone~~ $x^2$ :tada: &lt;b&gt; &#60;",
    "\x1b[31mred\x00\u202eback",
    "",
    " ",
    "é" * 3000,
]


class Page(HTMLParser):
    """Every element that a reader of the comment would get, and the text outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.prose = ""
        self.comments: list[str] = []
        self.feed(READER.render(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs, (tag, attrs)
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" not in self.open:
            self.prose += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data.strip())


def read(text: str) -> Page:
    page = Page(text)
    assert page.open == []
    assert page.tags <= OURS, page.tags - OURS
    return page


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_as_markdown(name: str) -> None:
    shown = markdown.write_plans([PLANS[name]()], "dev")
    check(f"{name}-markdown", shown)
    assert read(shown).comments == ["fineforge:plan dev"]


@pytest.mark.parametrize("name", FOLDERS)
def test_every_case_is_a_page(name: str) -> None:
    made = Case(FOLDERS[name]).plan()
    shown = markdown.write_plans([made], None)
    page = read(shown)
    assert shown.startswith("<!-- fineforge:plan dev -->\n**Plan: ")
    removed = [step for step in made.steps if step.action in (Action.DELETE, Action.ARCHIVE, Action.CANCEL)]
    assert ("[!CAUTION]" in shown) == bool(removed)
    assert page.prose.count("[!CAUTION]") == bool(removed)


@pytest.mark.parametrize(("name", "effect"), [("plan-no-changes", ""), ("plan-create", "trains, deploys; ")])
def test_what_cannot_be_applied_is_not_said_to_be_as_it_should(name: str, effect: str) -> None:
    made = replace(PLANS[name](), diagnostics=(Diagnostic("FF303", "the name is taken"),))
    shown = markdown.write_plans([made], "dev")
    assert f"### `phi4-support`: {effect}cannot be applied\n" in shown
    assert "no changes" not in shown and "as the spec sets" not in shown + text.write_plan(made, PAINT)


def test_many_specs_deletions_first_and_those_that_cannot_be_planned() -> None:
    wrong = Diagnostic(
        "FF120",
        "unknown key `trainig`",
        span=SourceSpan("specs/b.yaml", 3, 1, 3, 8, "trainig: {}"),
        hint="did you mean `training`?",
    )
    note = Diagnostic("FF181", "`old` contains no spec", Severity.WARNING)
    many = [
        PLANS["plan-no-changes"](),
        PLANS["plan-create"](),
        Case(FOLDERS["compute-other-size"]).plan(),
        PLANS["plan-retrain"](),
    ]
    many[0] = replace(many[0], spec="quiet")
    shown = markdown.write_plans(many, "dev", {"specs/b.yaml": [wrong, wrong]}, [note], {"phi4-support": "specs/a.yaml"})
    check("plan-many-markdown", shown)
    read(shown)
    assert shown.index("**replace**") < shown.index("**delete**") < shown.index("unknown key") < shown.index("### `phi4-support`")
    assert shown.count("unknown key") == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_foreign_breaks_out(text: str) -> None:
    """Whatever a spec, a file or a service says, in every place that has foreign text."""
    made = plans.make()
    change = FieldChange(f"tags.{text}", text, text + "!", Action.UPDATE, ChangeReason.SPEC)
    key = ResourceKey("endpoint", text or "e")
    reason = StepReason.FAILED_WITH_MESSAGE
    step = Step(
        "x", key, Action.UPDATE, reason, (change,), value=text, fallback=Step("y", key, Action.CREATE, reason, value=text)
    )
    gone = Step("z", key, Action.DELETE, reason, value=text)
    facts = {
        **made.facts,
        "workspace": {"name": text, "resource_group": text, "subscription_id": text, "location": text},
        "model": text,
        "data": {
            text: {"source": text, "revision": text, "filter": text, "percent": 5},
            "b": {"source": text, "revision": text, "asset": text, "percent": 100},
        },
        "parameters": {text: {"value": text, "origin": text, "overridden": [{"origin": text, "value": [text]}]}},
    }
    found = Diagnostic("FF400", text, span=SourceSpan(text, 1, 1, 1, 2, text), hint=text)
    plan = replace(made, spec=text, target=text, facts=facts, steps=(step, gone, *made.steps), diagnostics=(found,))
    still = replace(made, spec=text, steps=())
    shown = markdown.write_plans([plan, still, still], text, {text: [found]}, [found], {text: text})
    page = read(shown)
    assert len(page.comments) == 1
    for hook in ("@octocat", "#12", "GH-12", "https://", "www.ex"):
        assert hook not in page.prose
    assert not any(character in shown for character in "\x1b\x00\u202e")
    assert len(shown) < markdown.LIMIT


@given(st.text(max_size=80))
def test_code_says_what_it_was_given(text: str) -> None:
    expected = " ".join(markup.visible(text).split()) or ""
    for shown in (
        f"x {markup.code(text)} y",
        f"x {markup.words(f'`{text}`') if '`' not in text and expected else markup.code(text)} y",
    ):
        (line,) = READER.parse(shown)[1:2]
        assert [child.type for child in line.children or ()] == ["text", "code_inline", "text"]
        assert (line.children or ())[1].content.strip() == expected.strip()


@given(st.text(max_size=80))
@example("\ufdd0 🐟")  # no character: a reference to it would be read as U+FFFD
def test_plain_text_stays_text(text: str) -> None:
    (line,) = READER.parse(f"x{markup.plain(text)}y")[1:2]
    assert {child.type for child in line.children or ()} <= {"text", "text_special"}
    told = "".join(child.content for child in line.children or ())
    assert told.replace("\u200b", "") == f"x{' '.join(markup.visible(text).split())}y".replace("\u200b", "")


def test_secrets_are_hidden() -> None:
    key = ResourceKey("deployment", "d-1", parent="e")
    change = FieldChange("environment_variables.HF_TOKEN", None, "hunter2!", Action.UPDATE, ChangeReason.SPEC)
    made = Plan(1, Mode.APPLY, "dev", "a", "0", {}, (Step("u", key, Action.UPDATE, StepReason.CHANGED, (change,)),))
    shown = markdown.write_plans([made], "dev")
    assert "hunter2!" not in shown and "`(hidden)` is added" in shown


def large(count: int) -> list[Plan]:
    made = replace(Case(FOLDERS["compute-other-size"]).plan(), facts=plans.make().facts)
    return [replace(made, spec=f"spec-{number:04}") for number in range(count)]


@pytest.mark.parametrize("count", [1, 30, 300, 3000])
def test_a_cut_leaves_whole_pieces(count: int) -> None:
    shown = markdown.write_plans(large(count), "dev", {f"bad-{n}.yaml": [Diagnostic("FF112", "gone")] for n in range(count)})
    read(shown)
    assert len(shown.encode()) <= markdown.LIMIT
    assert ("✂" in shown) == (count > 1)
    assert "**replace**" in shown and f"{count} replaced" in shown
    if count >= 300:
        assert "… and" in shown


def test_what_reviewers_need_most_is_cut_last() -> None:
    """Details go before what happens, and what happens goes before what is lost."""
    full, tight, tighter = (markdown.write_plans(large(count), "dev") for count in (5, 60, 300))
    assert [full.count(words) for words in ("**replace**", "**create**", "Parameters", "Model and data")] == [5, 35, 5, 5]
    assert [tight.count(words) for words in ("**replace**", "**create**", "Model and data")] == [60, 420, 0]
    assert tighter.count("**replace**") == 300 and 0 < tighter.count("**create**") < 300 * 7
    assert tighter.count("\n### ") == 300, "every spec is named before any has its steps"


@pytest.mark.parametrize("count", [300, 900, 3000])
def test_nothing_is_cut_to_stand_under_another_heading(count: int) -> None:
    made = [
        replace(plan, diagnostics=(Diagnostic("FF321", f"of {plan.spec}" + " and so on" * (number % 7)),))
        for number, plan in enumerate(large(count))
    ]
    shown = markdown.write_plans(made, "dev")
    sections = shown.split("\n### `")[1:]
    assert sections and shown.count("✂") == 1
    for section in sections:
        name = section.partition("`")[0]
        assert set(re.findall(r"spec-\d{4}", section)) == {name}, section


@given(st.integers(0, 6000), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), max_size=8))
def test_a_page_keeps_its_limit(limit: int, sizes: list[tuple[int, int]]) -> None:
    pieces = [markup.Piece(rank, "<details>", ["- row of a list"] * rows, "</details>") for rank, rows in sizes]
    shown = markup.page(pieces, limit + 100, "cut {}")
    assert len(shown.encode()) <= limit + 100
    assert shown.count("<details>") == shown.count("</details>")
    assert ("cut" in shown) == (shown.count("- row") < sum(rows for _, rows in sizes) or shown.count("<details>") < len(sizes))


def test_the_marker_cannot_be_ended_by_a_name() -> None:
    assert markdown.marker("dev") == "<!-- fineforge:plan dev -->"
    assert markdown.marker("--> <b>") == "<!-- fineforge:plan b -->"
    assert markdown.marker("a--b") == "<!-- fineforge:plan a-b -->"
    assert markdown.marker("") == "<!-- fineforge:plan none -->"

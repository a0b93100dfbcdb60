"""What `explain` says of a spec's values, of parameters, models, components and codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fineforge.catalog.facts import ComponentFact, InputFact, ModelFact
from fineforge.config.compose import Composed, Entry
from fineforge.config.validation import dotted
from fineforge.core.codes import Code
from fineforge.core.redaction import HIDDEN, hides, redact
from fineforge.documents import answers
from fineforge.documents.shapes import Overridden
from fineforge.resources.parameters import Parameter
from fineforge.views.paint import Paint
from fineforge.views.text import shown, table


def write_code(code: str, entry: Code, paint: Paint) -> str:
    return "\n".join([paint("strong", f"{code}: {entry.title}"), "", *paint.wrap(entry.explanation)])


def write_composition(title: str, composed: Composed, paint: Paint) -> str:
    """Every value of a composed spec, with the layer and the line that it is from."""
    rows = []
    for entry in composed.provenance():
        used = [f"{how.reference} ({how.origin})" for how in entry.used]
        where = f"{entry.layer.label}, {entry.span.file}:{entry.span.line}"
        rows.append((dotted(entry.path), shown(_value(entry)), ", ".join([where, *used])))
    head = f"{paint('strong', title)} for `{composed.target}`: {len(rows)} values, with the layer and the line of each"
    return "\n".join([head, *table(rows, paint, "  ")])


def composition_data(composed: Composed) -> list[answers.ComposedValue]:
    return [
        answers.ComposedValue(
            path=dotted(entry.path),
            value=_value(entry),
            layer=entry.layer.label,
            file=entry.span.file,
            line=entry.span.line,
            references=[answers.Reference(how.reference, how.origin) for how in entry.used],
        )
        for entry in composed.provenance()
    ]


def _value(entry: Entry) -> Any:
    """The value; not where its name, or that of a variable in it, says that it is a secret."""
    names = [how.reference.partition(".")[2] for how in entry.used]
    secret = any(hides(f"environment_variables.{name}") for name in names) or hides(dotted(entry.path))
    return HIDDEN if secret else redact(entry.value) if isinstance(entry.value, str) else entry.value


def write_parameters(title: str, parameters: Mapping[str, Parameter], paint: Paint) -> str:
    """Every effective parameter, with its origin, what it takes and whether it is part of the job's identity."""
    rows = [(name, shown(entry.value), _origin(entry), takes(entry.input)) for name, entry in parameters.items()]
    head = f"{paint('strong', title)}: {len(parameters)} parameters, with value, origin and allowed values"
    return "\n".join([head, *table(rows, paint, "  ")])


def parameter_data(entry: Parameter) -> answers.EffectiveParameter:
    fact = entry.input
    return answers.EffectiveParameter(
        value=entry.value,
        origin=entry.origin,
        overridden=[Overridden(origin, value) for origin, value in entry.overridden],
        type=fact.type,
        enum=list(fact.enum),
        minimum=fact.minimum,
        maximum=fact.maximum,
        affects=fact.affects,
        used=fact.used,
        description=fact.description,
    )


def write_model(model: ModelFact, paint: Paint) -> str:
    rows = [
        ("id", model.id),
        ("source", model.origin),
        ("tasks", ", ".join(model.tasks) or "none"),
        ("context", f"{model.context_length} tokens" if model.context_length else "not given"),
        ("fine-tuning on", ", ".join(model.finetune_sizes or ()) or "the metadata has no list"),
        ("serving on", ", ".join(model.inference_sizes or ()) or "the metadata has no list"),
        ("deprecated", model.finetune_deprecation or "not announced"),
        ("retired", model.finetune_retirement or "not announced"),
        ("serving retired", model.inference_retirement or "not announced"),
        ("local twin", twin_of(model.name)),
    ]
    lines = [paint("strong", f"{model.name} {model.version}"), *table(rows, paint, "  ")]
    if model.defaults:
        defaults = [(name, shown(value)) for name, value in model.defaults.items()]
        lines += ["", paint("strong", "the model's defaults"), *table(defaults, paint, "  ")]
    return "\n".join([*lines, *(f"  note: {note}" for note in model.notes)])


def write_component(component: ComponentFact, paint: Paint) -> str:
    rows = [("input", "default", "takes")]
    rows += [(fact.name, shown(fact.default), takes(fact)) for fact in component.inputs.values()]
    lines = table(rows, paint, "  ")
    head = f"{component.name} {component.version}"
    return "\n".join([f"{paint('strong', head)} ({component.origin})", paint("strong", lines[0]), *lines[1:]])


def takes(fact: InputFact) -> str:
    """`integer, 1 or more`; `none or auto or ...`; and what is worth knowing of it."""
    said = " or ".join(fact.enum) if fact.enum else fact.type
    if fact.minimum is not None:
        said += f", {fact.minimum:g} or more"
    if fact.maximum is not None:
        said += f", {fact.maximum:g} or less"
    if fact.affects == "execution":
        said += "; does not change the job's name"
    return said if fact.used else said + "; no step reads it"


def _origin(entry: Parameter) -> str:
    over = [f"{origin} {shown(value)}" for origin, value in entry.overridden]
    return entry.origin + (f" (over {', '.join(over)})" if over else "")


def twin_of(name: str) -> str:
    """Which architecture stands in on the emulator, which the client may not import: a test holds the two tables together."""
    family = next((family for prefix, family in _FAMILIES if name.lower().startswith(prefix)), "")
    return f"a tiny {family} with random weights" if family else "none: the emulator has twins only for models that generate text"


_FAMILIES = (
    ("phi-3-small", "Phi3 (transformers has no Phi-3-small)"),
    ("phi-3", "Phi3"),
    ("phi-4", "Phi3"),
    ("microsoft-phi-2", "Phi"),
    ("llama", "Llama"),
    ("mistralai-mistral", "Mistral"),
    ("mistralai-mixtral", "Mixtral"),
    ("tiiuae-falcon", "Falcon"),
    ("gpt2", "GPT-2"),
)

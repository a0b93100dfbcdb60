"""`fineforge init`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from fineforge.cli import options
from fineforge.cli.output import Output


@options.command("""Create a spec with sample data, and a JSON Schema for editors. Never overwrites files.

\b
  fineforge init support            support.yaml, data/support, the schema
  fineforge init support --project  also fineforge.yaml, with its workspaces""")
@click.argument("name")
@click.option("--model", "model_name", default="Phi-4", show_default=True, help="The base model.")
@click.option("--project", is_flag=True, help="Also write `fineforge.yaml`.")
@click.option(
    "--folder",
    type=options.path,
    default=Path(),
    help="Folder to write to; the current one by default.",
)
@options.streams
def command(output: Output, name: str, model_name: str, project: bool, folder: Path) -> int:
    files = {folder / path: text for path, text in _files(name, model_name, project).items()}
    _write(files)
    for path in files:
        output.result(f"wrote {path}")
    spec = folder / f"{name}.yaml"
    output.say(f"\nnext: fineforge validate {spec}\n      fineforge emulator start && fineforge plan {spec} --target local")
    return 0


def _files(name: str, model_name: str, project: bool) -> dict[str, str]:
    """Relative path -> content."""
    from fineforge.cli.schema import document

    found = {f"{name}.yaml": _spec(name, model_name)}
    found |= {f"data/{name}/{split}.jsonl": _rows(split) for split in ("train", "validation")}
    found[_SCHEMA_FILE] = json.dumps(document(), indent=2) + "\n"
    if project:
        found[_PROJECT_FILE] = _PROJECT.format(name=name)
    return found


def _write(files: dict[Path, str]) -> None:
    """All files or none: every one that is in the way is named at once (FF004). An equal file is no obstacle."""
    from fineforge.core.diagnostics import Diagnostic, FineforgeError
    from fineforge.host.files import create, refused

    there = [path for path, text in files.items() if os.path.lexists(path) and not _holds(path, text)]
    if there:
        hints = {_PROJECT_FILE: "omit `--project`: a spec next to it belongs to it", _SCHEMA_FILE: _RENEW}
        found = ((path, hints.get(path.name, "choose another name")) for path in there)
        raise FineforgeError(*(Diagnostic("FF004", f"`{path}` exists already", hint=hint) for path, hint in found))
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(path):
                create(path, text)
    except OSError as error:
        raise refused(Path(error.filename), error) from None


def _holds(path: Path, text: str) -> bool:
    from fineforge.core.diagnostics import FineforgeError
    from fineforge.host.files import STATE, read

    try:
        return read(path, STATE) == text.encode()
    except FineforgeError:
        return False


_PROJECT_FILE, _SCHEMA_FILE = "fineforge.yaml", "fineforge.schema.json"
_RENEW = f"it has another version: `fineforge schema > {_SCHEMA_FILE}` updates it"
_TASK = "chat-completion"


def _spec(name: str, model_name: str) -> str:
    from fineforge.config import source
    from fineforge.config import spec as specs

    model, component, train_size, serve_size = _choices(model_name)
    text = _SPEC.format(
        name=name,
        cluster=f"{name[:20].rstrip('-')}-gpu",
        model=model[0],
        version=model[1],
        component=component,
        train_size=train_size,
        serve_size=serve_size,
    )
    specs.parse(source.load(text.encode(), f"{name}.yaml"))
    return text


def _choices(model_name: str) -> tuple[tuple[str, str], str, str, str]:
    """Model, newest chat-completion component, and the first sizes of the model's lists that are still there."""
    from datetime import UTC, datetime

    from fineforge.catalog import snapshot
    from fineforge.core.diagnostics import Diagnostic, FineforgeError

    catalog = snapshot.load()
    models = [model for (known, _), model in catalog.models.items() if known.lower() == model_name.lower()]
    if not models:
        near = snapshot.near_names(model_name, [known for known, _ in catalog.models])
        hint = "did you mean " + " or ".join(f"`{entry}`" for entry in near) + "?" if near else ""
        raise FineforgeError(Diagnostic("FF005", f"the catalog has no base model `{model_name}`", hint=hint))
    model, today = models[0], datetime.now(UTC).date().isoformat()
    if model not in snapshot.offered(_TASK, today):
        message, hint = f"`{model.name}` is not offered for fine-tuning with `{_TASK}`", snapshot.still_offered(_TASK, today)
        raise FineforgeError(Diagnostic("FF144", message, hint=f"{hint}; `fineforge explain model {model.name}` says more"))
    retired = {size.name.lower() for size in catalog.sizes.values() if size.retired and size.retired <= today}
    versions = [version for name, version in catalog.components if name == snapshot.TASK_COMPONENTS[_TASK]]
    component = max(versions, key=lambda version: [int(part) for part in version.split(".")])
    lists = (model.finetune_sizes or (), model.inference_sizes or ())
    train, serve = (next((size for size in sizes if size.lower() not in retired), "Standard_NC24ads_A100_v4") for sizes in lists)
    return (model.name, model.version), component, train, serve


def _rows(split: str) -> str:
    pairs = _TRAIN if split == "train" else _VALIDATION
    rows = [
        {
            "prompt": question,
            "prompt_id": f"{split}-{number}",
            "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
        }
        for number, (question, answer) in enumerate(pairs, 1)
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


_TRAIN = (
    ("When is the library open?", "From ten to six on weekdays, and on Saturday mornings until one."),
    ("How long may I keep a book?", "Three weeks; you can renew it twice if nobody waits for it."),
    ("What does a card cost?", "Nothing for residents. Everybody else pays twelve euros a year."),
)
_VALIDATION = (("Until when can I come on a Saturday?", "On Saturdays we close at one in the afternoon."),)

_SPEC = """\
# yaml-language-server: $schema=fineforge.schema.json
version: 1
name: {name}
task: chat-completion
component: {{version: "{component}"}}
model: {{name: {model}, version: "{version}"}}

dataset:
  source: data/{name}               # train.jsonl and validation.jsonl: put your own conversations there
  splits:
    train: {{percent: 100}}
    validation: {{percent: 100}}

compute: {{name: {cluster}, size: {train_size}, min_nodes: 0, max_nodes: 1}}

training:                           # the component's inputs; `fineforge explain {name}.yaml` lists them all
  num_train_epochs: 1
optimization:
  apply_lora: true

register: {{name: {name}}}
endpoint: {{}}
deployment: {{size: {serve_size}}}
"""

_PROJECT = """\
# The project: the scope of ownership, and the workspaces its specs are applied to. `local`, the emulator, always exists.
name: {name}
targets: {{}}
#  dev:
#    subscription_id: 00000000-0000-0000-0000-000000000000
#    resource_group: my-group
#    workspace: my-workspace
"""

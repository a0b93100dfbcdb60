"""Pin facts: which facts the specs need, which of them are pinned already, and the others read at their source.

What a pin is and how it is kept is in `fineforge.config.pins`. Reads only, and writes nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from fineforge.catalog.facts import ComponentFact
from fineforge.catalog.parse import parse_model
from fineforge.config import pins as pins_file
from fineforge.config.loaded import SpecFile, TargetedSpec
from fineforge.config.pins import Pins
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, FineforgeError, did_you_mean
from fineforge.core.gateway import Reader
from fineforge.engine import data as preparing
from fineforge.engine import facts as live_facts
from fineforge.engine.connection import refuse_target
from fineforge.engine.shared_reads import SharedReads
from fineforge.resources import facts as registry_facts


def lock(specs: Sequence[SpecFile], gateway: Reader, upgrade: Sequence[str] = ()) -> tuple[pins_file.Lock, tuple[Moved, ...]]:
    """Return the lock of the specs' project with everything that they need at this target, and what moved. Writes no file.

    `upgrade`: see `pin`. Raises FF172 where the specs are of several projects, and every spec's errors in that spec's file.
    """
    first = specs[0].lock
    if len({spec.lock.path.resolve() for spec in specs}) > 1:
        message, hint = "these specs belong to several projects with different lock files", "lock each project separately"
        raise FineforgeError(Diagnostic("FF172", message, hint=hint))
    target = gateway.workspace.target
    targeted = [spec.at(target) for spec in specs]
    for spec in targeted:
        refuse_target(spec, target)
    pins, moves = pin(targeted, first.at(target), SharedReads.of(gateway), preparing.resolve, upgrade)
    return replace(first, targets={**first.targets, target: pins}), moves


WHAT = ("models", "components", "datasets", "sizes")
"""What can be upgraded apart; also a model's, component's or size's name, or a source."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One pin that is new, or other than before."""

    kind: str
    key: str
    before: str
    """Empty where there was none."""
    after: str


def pin(
    specs: Sequence[TargetedSpec], pins: Pins, gateway: Reader, resolve: Callable[[str], str], upgrade: Collection[str] = ()
) -> tuple[Pins, tuple[Moved, ...]]:
    """Return the pins of a target with everything that the specs need, and what moved.

    Pins that exist stay, except those that `upgrade` names (`all`, a word of `WHAT`, or a name). `resolve` gives the pin of a
    dataset's source. Raises every read that failed at once, in the file of each spec that asks for it, and FF002 where `upgrade`
    names what the specs do not ask for.
    """
    asked = {spec.path: _reads(spec.open_spec, gateway, resolve) for spec in specs if spec.spec.trains}
    reads = {pin: read for some in asked.values() for pin, read in some.items()}
    _asked_for(reads, upgrade)
    known: dict[str, Mapping[str, Any]] = {name: getattr(pins, name) for name in WHAT}
    calls = {
        (kind, key): read for (kind, key), read in reads.items() if key not in known[kind] or _is_upgraded(kind, key, upgrade)
    }
    answers, problems = live_facts.read_all(gateway, calls)
    if problems:
        raise FineforgeError(
            *(
                placed
                for spec in specs
                for placed in spec.place([problems[pin] for pin in asked.get(spec.path, ()) if pin in problems])
            )
        )
    pinned = {kind: {**known[kind], **{key: value for (k, key), value in answers.items() if k == kind}} for kind in WHAT}
    moves = [
        Moved(kind, key, _shown(known[kind].get(key)), _shown(value))
        for (kind, key), value in answers.items()
        if value != known[kind].get(key)
    ]
    return replace(pins, **pinned), tuple(sorted(moves, key=lambda move: (WHAT.index(move.kind), move.key)))


def _reads(spec: Spec, gateway: Reader, resolve: Callable[[str], str]) -> dict[tuple[str, str], Callable[[], Any]]:
    """Return what a spec asks for, by kind and key, and how each is read."""
    reads: dict[tuple[str, str], Callable[[], Any]] = {
        ("models", pins_file.model_key(spec)): partial(_model, gateway, spec),
        ("components", pins_file.component_key(spec)): partial(_component, gateway, spec),
        **{("datasets", source): partial(resolve, source) for source in floating(spec)},
    }
    if spec.compute is not None and spec.compute.size is not None:
        reads["sizes", spec.compute.size.lower()] = partial(_gpus, spec.compute.size, gateway)
    return reads


SECONDS = 3.0
"""What a note about newer versions may cost; whatever cannot be asked in that time is passed over."""


def ask_for_newer(
    spec: TargetedSpec, gateway: Reader, resolve: Callable[[str], str] = preparing.resolve
) -> Callable[[], list[Diagnostic]]:
    """Start to ask upstream for newer versions of what the spec leaves open. The returned function waits, and gives FF171s."""
    wanted, pins = spec.open_spec, spec.pins
    calls: dict[str, Callable[[], Diagnostic | None]] = {}
    model = pins.models.get(pins_file.model_key(wanted)) if wanted.trains and wanted.model.version is None else None
    if model is not None:
        calls["model"] = partial(_if_newer, f"`{model.name}`", model.version, partial(_model, gateway, wanted), ("model",))
    component = _floating_component(wanted, pins)
    if component is not None:
        read = partial(_component, gateway, wanted)
        calls["component"] = partial(_if_newer, f"`{component.name}`", component.version, read, ("component",))
    for source in floating(wanted):
        if source in pins.datasets:
            read_source = partial(resolve, source)
            calls[source] = partial(_if_newer, f"`{source}`", pins.datasets[source], read_source, ("dataset", "source"))
    asked = _within(SECONDS, calls)
    return lambda: [found for found in asked() if found is not None]


def _floating_component(spec: Spec, pins: Pins) -> ComponentFact | None:
    is_open = spec.trains and pins_file.component_name(spec).version is None
    return pins.components.get(pins_file.component_key(spec)) if is_open else None


def _if_newer(what: str, pinned: str, read: Callable[[], Any], path: tuple[str, ...]) -> Diagnostic | None:
    latest = _shown(read())
    return None if pinned == latest else pins_file.newer(what, pinned, latest, path)


def _within(seconds: float, calls: Mapping[str, Callable[[], Diagnostic | None]]) -> Callable[[], list[Diagnostic | None]]:
    """What answers in time, in the order of the calls. Threads that still wait hold up nobody: they end with the process."""
    found: dict[str, Diagnostic | None] = {}

    def ask(name: str, call: Callable[[], Diagnostic | None]) -> None:
        with contextlib.suppress(FineforgeError, OSError):
            found[name] = call()

    threads = [threading.Thread(target=ask, args=entry, daemon=True) for entry in calls.items()]
    end = time.monotonic() + seconds
    for thread in threads:
        thread.start()

    def answers() -> list[Diagnostic | None]:
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0))
        return [found[name] for name in calls if name in found]

    return answers


def floating(spec: Spec) -> tuple[str, ...]:
    """The sources of a spec whose content only a pin can hold."""
    if spec.dataset is None:
        return ()
    sources = {spec.dataset.source_of(split) for split in spec.dataset.splits.made()}
    return tuple(sorted(source for source in sources if source.startswith(("hf://", "https://")) and not _is_commit(source)))


def _is_commit(source: str) -> bool:
    revision = source.rpartition("@")[2]
    return source.startswith("hf://") and len(revision) == 40 and all(letter in "0123456789abcdef" for letter in revision)


def _model(gateway: Reader, spec: Spec) -> Any:
    raw = gateway.read_model(spec.model.registry, spec.model.name or "", spec.model.version)
    if raw is None:
        raise FineforgeError(registry_facts.unknown_model(spec))
    return parse_model(raw, spec.model.registry, "live")


def _component(gateway: Reader, spec: Spec) -> Any:
    name = pins_file.component_name(spec)
    raw = gateway.read_component(name.registry, name.name, name.version)
    if raw is None:
        raise FineforgeError(registry_facts.unknown_component(spec))
    return registry_facts.component_fact(raw, name.registry)


def _gpus(size: str, gateway: Reader) -> int:
    found = live_facts.read_sizes(SharedReads.of(gateway)).get(size.lower())
    if found is None:
        raise FineforgeError(Diagnostic("FF150", f"unknown VM size `{size}`", path=("compute", "size")))
    return found.gpus


def _asked_for(reads: Iterable[tuple[str, str]], upgrade: Collection[str]) -> None:
    """A name that is misspelt would else upgrade nothing, and look as if there were nothing newer."""
    reads = list(reads)
    words = {"all", *WHAT, *(kind.removesuffix("s") for kind in WHAT)}
    for word in upgrade:
        if word.lower() not in words and not any(_is_upgraded(kind, key, [word]) for kind, key in reads):
            names = sorted({_name(kind, key) for kind, key in reads})
            hint = did_you_mean(word, names, f"known here: {', '.join(f'`{name}`' for name in (*WHAT, *names))}")
            raise FineforgeError(Diagnostic("FF002", f"`--upgrade={word}` matches no pin of these specs", hint=hint))


def _is_upgraded(kind: str, key: str, upgrade: Collection[str]) -> bool:
    asked = {word.lower() for word in upgrade}
    return bool(asked & {"all", kind, kind.removesuffix("s"), key.lower(), _name(kind, key).lower()})


def _name(kind: str, key: str) -> str:
    return key.rsplit(":", 1)[0].rsplit("/", 1)[-1] if kind in ("models", "components") else key


def _shown(pin: Any) -> str:
    return "" if pin is None else str(getattr(pin, "version", pin))

"""What a kind of Azure object is: a template, a table of field rules, the words of its life, and how it ends.

One file per kind beside this one; a kind never imports another kind, nor azure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fineforge.config.spec import Spec
from fineforge.core.facts import Facts
from fineforge.core.objects import Document, Observed, Ownership, Raw, ResourceKey, SpecPath, Status, Upload
from fineforge.core.plan import Billing
from fineforge.resources import fields, ownership
from fineforge.resources.bindings import Bindings, bind
from fineforge.resources.fields import FieldRule
from fineforge.resources.naming import Identity
from fineforge.resources.parameters import Parameter


class End(StrEnum):
    """How an object of the kind ends when its spec is destroyed."""

    DELETE = "delete"
    ARCHIVE = "archive"
    STAY = "stay"


@dataclass(frozen=True, slots=True)
class Api:
    """Where Azure Resource Manager keeps objects of a kind, and how azure-ai-ml creates one."""

    path: str
    """Below the workspace: `{name}`, and `{version}` and `{parent}` if the kind has them. A list is one segment shorter."""
    version: str
    """API version of reads and updates; azure-ai-ml 1.35.2 uses the same."""
    load: str
    """Function of `azure.ai.ml` that reads the rendered YAML."""
    client: str
    """Attribute of `MLClient` that creates the object."""
    create: str = "create_or_update"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `create` beyond the object."""
    list_query: str = ""
    delete_query: str = ""
    required: tuple[str, ...] = ("name", "properties")
    """Keys that every answer with one object must have."""

    @property
    def is_versioned(self) -> bool:
        return "{version}" in self.path


@dataclass(frozen=True, slots=True)
class Context:
    """What a kind may know to say which objects a spec wants."""

    spec: Spec
    facts: Facts
    identity: Identity
    parameters: Mapping[str, Parameter]
    project: str
    tags: Mapping[str, str]
    """The user's tags: project defaults and the spec's own."""
    source: str = ""
    """`address@commit` of the spec's repository: written with another change, never compared."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object that a spec wants, before it is rendered."""

    key: ResourceKey
    variables: Mapping[str, Any]
    """What the template sees, `tags` excepted."""
    path: SpecPath
    depends_on: tuple[ResourceKey, ...] = ()
    uploads: tuple[Upload, ...] = ()
    fallback: Mapping[str, Any] = field(default_factory=dict)
    """Variables that are other in the one alternative; empty where there is none."""
    existing: bool = False
    """The spec only names it: nothing is rendered."""


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    rules: tuple[FieldRule, ...]
    wanted: Callable[[Context], Iterable[Wanted]]
    state: str
    """Dotted place of the state in the body."""
    states: Mapping[str, Status]
    """The service's words, lower case; an unknown word is BUSY, for the service alone knows what it does."""
    end: End
    api: Api | None
    """None: the kind is a copy in a registry, which the workspace does not list."""
    end_order: int
    """Place in the order in which a destroy ends objects, lowest first."""
    parent: str = ""
    """Kind of the object that contains objects of this kind, and is deleted with them."""
    is_output: bool = False
    """True if an apply reports the object as one of its outputs."""
    is_followed: bool = False
    """True if an apply shows the object's log and metrics while it waits for it."""
    billing: Billing | None = None
    """What an hourly price is for; None where objects of the kind cost nothing by themselves."""
    shared: bool = False
    """Several specs may use one object; each leaves its `used-by` tag."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Document places -> body places that are read but never compared (live traffic)."""
    fixed: Mapping[str, str] = field(default_factory=lambda: {"name": "name"})
    """Document places -> template variables that a user's template must leave as they are: the digest stands for them."""

    @property
    def template(self) -> str:
        return f"{self.name}.yml.j2"

    def observe(self, key: ResourceKey, raw: Raw) -> Observed:
        """Return the object as it is, in the shape of its template. Raises for no JSON object: any user may have made it."""
        document = fields.read_document(raw, self.rules)
        for place, wire in self.extra.items():
            fields.put(document, place, _shares(fields.get(raw, wire)))
        tags = fields.read_tags(raw)
        document["tags"] = {name: value for name, value in tags.items() if not ownership.is_owner_tag(name)}
        archived = bool(fields.get(raw, "properties.isArchived"))
        word = str(fields.get(raw, self.state) or "Succeeded").lower()
        status = self.states.get(word, Status.BUSY)
        owner = ownership.from_tags(tags)
        return Observed(
            key=key,
            document=document,
            owner=owner,
            status=status,
            fingerprint=self.fingerprint(document, owner, tags, archived, status is Status.FAILED),
            archived=archived,
            message=_words(raw),
            tags=tags,
            created=str(fields.get(raw, "systemData.createdAt") or ""),
            leaving=word == "deleting",
            word=str(fields.get(raw, self.state) or ""),
        )

    def fingerprint(
        self, document: Document, owner: Ownership | None, tags: Mapping[str, str], archived: bool, failed: bool
    ) -> str:
        """What must still hold when a step is carried out: the fields, whose it is, who else uses it, and whether it has failed.

        Busy or not is no part of it, since a step waits for that; nor is the state of a job, which ends by itself; nor are tags,
        which the service adds to jobs as they run.
        """
        rules = tuple(rule for rule in self.rules if rule.path != "tags.*")
        whose = [owner.project, owner.spec] if owner else []
        shared = sorted(ownership.used_by(tags)) if self.shared else []
        return fields.fingerprint(document, rules, archived, failed and self.end is End.DELETE, whose, shared)

    def owner_tags(self, owner: Ownership) -> dict[str, str]:
        """The tags that mark an object as ours."""
        tags = ownership.to_tags(owner)
        if self.shared:
            tags[ownership.USED_BY + owner.spec] = "true"
        return tags

    def archive(self, raw: Raw, archived: bool) -> dict[str, Any]:
        """The body that archives or restores; only assets and jobs have the flag."""
        body = fields.patch(raw, (), self.rules, {})
        fields.put(body, "properties.isArchived", archived)
        return body


def asset_bindings(context: Context) -> Bindings:
    """Which input of the component takes what; what cannot be told has been said by the checks."""
    component, model = context.facts.component, context.facts.model
    if component is None or model is None:
        return Bindings()
    return bind(context.spec, component, model.type, context.facts.datasets)[0]


PROVISIONING = {
    "succeeded": Status.READY,
    "failed": Status.FAILED,
    "canceled": Status.FAILED,
    "creating": Status.BUSY,
    "updating": Status.BUSY,
    "scaling": Status.BUSY,
    "deleting": Status.BUSY,
}
"""`provisioningState` of computes, endpoints, deployments and assets (azure-ai-ml 1.35.2)."""


def identity_rules(*paths: str) -> tuple[FieldRule, ...]:
    """Rules for what a document repeats of its own name and type."""
    return tuple(FieldRule(path, change=fields.Change.IGNORE, reason="says which object it is, not how it is") for path in paths)


USER_TAGS_TOP = FieldRule("tags.*", "tags", form="text", spec="tags", reason="the user's tags; other people's are left alone")
USER_TAGS = FieldRule(
    "tags.*", "properties.tags", form="text", spec="tags", reason="the user's tags; other people's are left alone"
)


def _shares(entries: Any) -> dict[str, int]:
    """Percent by deployment. A share that is not a number counts as 100, so that nobody's traffic is taken for none."""
    known = entries if isinstance(entries, Mapping) else {}
    return {str(name): fields.whole_number(value, 100) for name, value in known.items()}


def _words(raw: Raw) -> str:
    """Return what the service says about a failure."""
    error = raw.get("fineforge-error")
    if isinstance(error, Mapping) and error:
        return ": ".join(str(error[part]) for part in ("code", "message") if error.get(part))
    listed = fields.get(raw, "properties.provisioningErrors")
    for entry in filter(_is_mapping, listed if isinstance(listed, list) else ()):
        inner = entry["error"] if _is_mapping(entry.get("error")) else entry
        return f"{inner.get('code')}: {inner.get('message')}"
    return ""


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)

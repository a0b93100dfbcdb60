"""Build the desired state: render the templates of every object that a spec wants."""

from __future__ import annotations

from collections.abc import Mapping

from fineforge.config import project
from fineforge.config.loaded import TargetedSpec
from fineforge.core.facts import Facts
from fineforge.core.objects import Desired
from fineforge.host import files, git, worker
from fineforge.resources.kinds import Context, desired_all
from fineforge.resources.naming import Identity
from fineforge.resources.parameters import Parameter
from fineforge.resources.templates import Templates


def build_desired(spec: TargetedSpec, facts: Facts, parameters: Mapping[str, Parameter], names: Identity) -> tuple[Desired, ...]:
    """Return every object that the spec wants, as it is to be. Raises FF2xx where a template of the project is wrong."""
    tags = {**spec.project.tags, **spec.spec.tags}
    source = git.source(spec.path.resolve().parent)
    context = Context(spec.spec, facts, names, parameters, spec.project_name, tags, source)
    with spec.placing():
        texts, own = project.templates(spec.project), spec.project.templates
        return desired_all(context, Templates(texts, files.shown_path(own), worker.run) if own else Templates(texts))

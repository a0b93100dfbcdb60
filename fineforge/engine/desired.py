"""Build the desired objects of a spec by rendering its templates."""

from __future__ import annotations

from collections.abc import Mapping

from fineforge.config import project
from fineforge.config.loaded import Loaded
from fineforge.core.facts import Facts
from fineforge.core.objects import Desired
from fineforge.engine.loaded import placed
from fineforge.host import git, worker
from fineforge.host.files import shown_path
from fineforge.resources import naming
from fineforge.resources.kinds import Context, desired_all
from fineforge.resources.parameters import Parameter
from fineforge.resources.templates import Templates


def desired_objects(loaded: Loaded, facts: Facts, parameters: Mapping[str, Parameter], attempt: int = 1) -> tuple[Desired, ...]:
    named = naming.identify(loaded.spec, facts, parameters, attempt)
    tags = {**loaded.project.tags, **loaded.spec.tags}
    source = git.source(loaded.path.resolve().parent)
    context = Context(loaded.spec, facts, named, parameters, loaded.project_name, tags, source)
    with placed(loaded):
        texts, own = project.templates(loaded.project), loaded.project.templates
        return desired_all(context, Templates(texts, shown_path(own), worker.run) if own else Templates(texts))

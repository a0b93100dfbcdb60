"""Datasets: where rows come from, which of them are used, whether they are fit to train on.

The only package that may import `datasets`, `huggingface_hub` or `pyarrow`; local JSON Lines need none of them.
`describe` is cheap, asks no network and names a split's content; `prepare` reads and checks every row and writes the wanted ones.
Names are imported when they are asked for: `describe` needs nothing of what reads rows.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fineforge.dataset.preparation import Prepared, Progress, prepare
    from fineforge.dataset.recipe import wanted_rows
    from fineforge.dataset.records import checked
    from fineforge.dataset.sources import describe
    from fineforge.dataset.whole import resolve

__all__ = ["Prepared", "Progress", "checked", "describe", "prepare", "resolve", "wanted_rows"]

_HOMES = {
    "preparation": ("Prepared", "Progress", "prepare"),
    "recipe": ("wanted_rows",),
    "records": ("checked",),
    "sources": ("describe",),
    "whole": ("resolve",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"fineforge.dataset.{home}"), name)
    raise AttributeError(f"module `fineforge.dataset` has no `{name}`")

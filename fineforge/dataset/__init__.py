"""Datasets: where rows come from, which of them are used, whether they are fit to train on.

The only package that may import `datasets`, `huggingface_hub`, `pyarrow` or `cel`; local JSON Lines need none of them.
`describe` is cheap, asks no network and names a split's content; `prepare` reads and checks every row and writes the wanted ones.
"""

from fineforge.dataset.prepare import Prepared, Progress, checked, prepare
from fineforge.dataset.recipe import wanted_rows
from fineforge.dataset.sources import describe, remote

__all__ = ["Prepared", "Progress", "checked", "describe", "prepare", "remote", "resolve", "wanted_rows"]


def resolve(source: str) -> str:
    """What pins a source that nobody pinned: see `fineforge.dataset.whole`."""
    from fineforge.dataset.whole import resolve

    return resolve(source)

"""Datasets: where rows come from, which of them are used, whether they are fit to train on.

The only package that may import `datasets`, `huggingface_hub` or `pyarrow`; local JSON Lines need none of them.
`describe` is cheap and names a split's content; `prepare` checks every row and writes the wanted ones.
"""

from fineforge.dataset.local import describe, wanted_rows
from fineforge.dataset.prepare import Prepared, prepare

__all__ = ["Prepared", "describe", "prepare", "wanted_rows"]

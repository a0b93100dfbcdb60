"""A split in words: where its rows come from, which of them are used, and what they are like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def recipe_text(source: str, recipe: Mapping[str, Any]) -> str:
    """Where rows come from, and which they are: `5 % of hf://owner/name, train_sft`."""
    inner = f", {recipe['from']}" if "from" in recipe else ""
    config = f", configuration {recipe['config']}" if "config" in recipe else ""
    how = (
        f"{recipe['rows']} rows of " if "rows" in recipe else f"{recipe['percent']} % of " if recipe.get("percent") != 100 else ""
    )
    extra = [f"at random (seed {recipe['seed']})"] if "sample" in recipe else []
    extra += [f"where {recipe['filter']}"] if "filter" in recipe else []
    extra += ["columns mapped"] if "columns" in recipe else []
    extra += [f"without the last {recipe['holdout']} %"] if "holdout" in recipe else []
    extra += [f"the last {recipe['held_out']} % of them"] if "held_out" in recipe else []
    return f"{how}{recipe.get('source', source)}{config}{inner}" + "".join(f"; {words}" for words in extra)


def summary_text(summary: Mapping[str, Any]) -> str:
    """What checked rows are like: `10,393 rows, 65,000 messages, half of them up to 5,120 characters`."""
    rows = f"{summary['rows']:,} {'row' if summary['rows'] == 1 else 'rows'}"
    turns = f", {summary['turns']:,} messages" if summary.get("turns") else ""
    half = f", half of them up to {summary['characters']['p50']:,} characters" if summary.get("characters") else ""
    return f"{rows}{turns}{half}"

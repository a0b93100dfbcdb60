"""A dataset in the shape of HuggingFaceH4/ultrachat_200k, small and invented, for a hub on loopback (`tests.hub`)."""

from __future__ import annotations

from pathlib import Path

NAME = "HuggingFaceH4/ultrachat_200k"
ROWS = {"train_sft": 400, "test_sft": 200, "train_gen": 60, "test_gen": 200}
SHARDS = {"train_sft": 2}
GROUP = 50
"""Rows of a row group."""

_CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n"
_THINGS = ("tide", "lamp", "bread", "kite", "stone", "piano", "garden", "letter", "harbour", "clock", "violin", "orchard")


def write(root: Path) -> Path:
    """The dataset's folder below a hub's root."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = root / NAME
    (folder / "data").mkdir(parents=True)
    first = 0
    for split, count in ROWS.items():
        shards = SHARDS.get(split, 1)
        for shard in range(shards):
            rows = [row(first + number) for number in range(shard * count // shards, (shard + 1) * count // shards)]
            file = folder / "data" / f"{split}-{shard:05d}-of-{shards:05d}-{split}{shard}.parquet"
            pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=GROUP)  # type: ignore[no-untyped-call]
        first += count
    listed = "".join(f"  - split: {split}\n    path: data/{split}-*\n" for split in ROWS)
    (folder / "README.md").write_text(f"{_CARD}{listed}---\n# Conversations\n", encoding="utf-8")
    return folder


def row(number: int) -> dict[str, object]:
    """One conversation of one or two exchanges; no two begin alike."""
    thing, other = _THINGS[number % len(_THINGS)], _THINGS[(number * 7 + 3) % len(_THINGS)]
    prompt = f"Tell me about the {thing} number {number} and how it met the {other}/{number}."
    messages = [
        {"content": prompt, "role": "user"},
        {"content": f"The {thing} waited {number} days, and then the {other} came by.", "role": "assistant"},
    ]
    if number % 3 == 0:
        messages += [
            {"content": "And what did they say?", "role": "user"},
            {"content": f"“{other.title()}!” said the one, “{thing.title()}!” the other.", "role": "assistant"},
        ]
    return {"prompt": prompt, "prompt_id": f"{number:064x}", "messages": messages}

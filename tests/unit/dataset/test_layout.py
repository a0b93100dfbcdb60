"""Which files are which split: the answer of the `datasets` library, whose own code is asked about the same folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from fineforge.dataset.layout import Config, Unclear, config, form

FOLDERS: dict[str, list[str]] = {
    "shards": [
        "data/train-00000-of-00002-ab12.parquet",
        "data/train-00001-of-00002.parquet",
        "data/test_sft-00000-of-00001.parquet",
    ],
    "one file": ["dataset.csv", "README.md"],
    "names": ["train.csv", "valid.csv", "my_test_file.csv"],
    "names with breaks": ["my-train-1.jsonl", "train_2.jsonl", "eval.jsonl", "retrain.jsonl"],
    "folders": ["train/a.csv", "train/deep/b.csv", "dev/c.csv", "testing 1/d.csv"],
    "a folder within": ["data/training/a.jsonl", "data/evaluation/b.jsonl", "notes/c.txt"],
    "a folder beats a name": ["test/train.csv", "test/other.csv"],
    "hidden and special": [".train.csv", ".git/train.csv", "__pycache__/train.csv", "train.csv", "train/.hidden.csv"],
    "metadata": ["config.json", "dataset_infos.json", "a.json", "sub/b.json"],
    "validation words": ["val.csv", "dev.csv", "validation.csv", "x_valid.csv"],
    "nothing but text": ["one.txt", "two.txt"],
    "numbers": ["train1.csv", "train2.csv", "2test.csv"],
    "not quite shards": ["data/train-0000-of-0001.parquet", "data/test-00000-of-00001.parquet"],
    "shards elsewhere": ["other/train-00000-of-00001.parquet", "other/test-00000-of-00001.parquet"],
}


def make(folder: Path, files: list[str], readme: str = "") -> list[str]:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("x", encoding="utf-8")
    if readme:
        (folder / "README.md").write_text(readme, encoding="utf-8")
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def theirs(folder: Path, patterns: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    from datasets.data_files import DataFilesDict, get_data_patterns

    found = DataFilesDict.from_patterns(patterns or get_data_patterns(str(folder)), base_path=str(folder))
    return {
        split: list(dict.fromkeys(str(Path(file).relative_to(folder)) for file in files))
        for split, files in found.items()
        if files
    }


def ours(found: Config) -> dict[str, list[str]]:
    return {split: list(files) for split, files in found.splits.items()}


@pytest.mark.parametrize("name", FOLDERS)
def test_by_names(name: str, tmp_path: Path) -> None:
    files = make(tmp_path, FOLDERS[name])
    assert ours(config(files, "", None)) == theirs(tmp_path)


PATTERNS: dict[str, dict[str, list[str]]] = {
    "star": {"train": ["data/train_sft-*"], "test": ["data/test_sft-*"]},
    "deep": {"train": ["**/a.csv"], "rest": ["**"]},
    "classes": {"one": ["data/x[0-9].csv"], "other": ["data/x[!0-9].csv"]},
    "question": {"train": ["data/x?.csv"]},
    "several": {"train": ["sub/a.csv", "data/x1.csv"]},
    "a plain name": {"train": ["sub/deep/a.csv"]},
    "in one folder": {"train": ["data/*"], "all": ["**/*.csv"]},
    "hidden on purpose": {"train": [".hidden/*"]},
}
TREE = ["data/train_sft-0.csv", "data/train_sft-1.csv", "data/test_sft-0.csv", "data/x1.csv", "data/xa.csv", "sub/a.csv"]
TREE += ["sub/deep/a.csv", ".hidden/a.csv", "a.csv"]


@pytest.mark.parametrize("name", PATTERNS)
def test_by_the_readme(name: str, tmp_path: Path) -> None:
    wanted = "".join(f"  - split: {split}\n    path: {paths!r}\n" for split, paths in PATTERNS[name].items())
    readme = f"---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files:\n{wanted}---\n# Words\n"
    files = make(tmp_path, TREE, readme)
    assert ours(config(files, readme, None)) == theirs(tmp_path, PATTERNS[name])


SEVERAL = """---
configs:
- config_name: main
  data_files: main/*.csv
  sep: ";"
- config_name: extra
  data_dir: extra
- config_name: listed
  data_files: [main/a.csv, extra/train.csv]
---
"""


def test_configurations(tmp_path: Path) -> None:
    files = make(tmp_path, ["main/a.csv", "extra/train.csv", "extra/test.csv"], SEVERAL)
    assert config(files, SEVERAL, "main") == Config("main", {"train": ("main/a.csv",)}, {"sep": ";"})
    assert ours(config(files, SEVERAL, "extra")) == {"train": ["extra/train.csv"], "test": ["extra/test.csv"]}
    assert ours(config(files, SEVERAL, "listed")) == {"train": ["main/a.csv", "extra/train.csv"]}
    marked = SEVERAL.replace("  data_dir: extra\n", "  data_dir: extra\n  default: true\n")
    assert config(files, marked, None).name == "extra"


@pytest.mark.parametrize(
    ("readme", "wanted", "words", "known"),
    [
        (SEVERAL, None, "has several configurations", ("main", "extra", "listed")),
        (SEVERAL, "mian", "has no configuration `mian`", ("main", "extra", "listed")),
        ("", "main", "has no configuration `main`", ("default",)),
        ("---\n: [\n---\n", None, "has a README whose front matter is not valid YAML", ()),
        ("---\nconfigs:\n- config_name: a\n  data_files: [{path: x}]\n---\n", None, "has a README with invalid `data_files`", ()),
    ],
)
def test_what_is_unclear_is_said(readme: str, wanted: str | None, words: str, known: tuple[str, ...]) -> None:
    with pytest.raises(Unclear, match=words) as error:
        config(["main/a.csv"], readme, wanted)
    assert error.value.known == known


def test_the_most_frequent_format_counts() -> None:
    assert form(["a.csv", "b.csv", "c.json"]) == "csv"
    assert form(["a.csv", "b.parquet"]) == "parquet"
    assert form(["a.arrow", "b.arrow", "c.csv"]) == ""

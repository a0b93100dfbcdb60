"""The ways in which one body names another object: azureml:// addresses, ARM ids, `azureml:name:version`. Parsing only."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlobRef:
    datastore: str
    path: str


@dataclass(frozen=True, slots=True)
class AssetRef:
    collection: str
    """`data`, `models` or `components`; empty where the text does not say (`azureml:name:version`)."""
    name: str
    version: str | None
    """None: the label `latest`."""
    registry: str | None = None


@dataclass(frozen=True, slots=True)
class JobOutputRef:
    job: str
    output: str


Reference = BlobRef | AssetRef | JobOutputRef

_BLOB = re.compile(r"azureml://(?:.*/)?datastores/(?P<store>[^/]+)/paths/(?P<path>.*)\Z", re.IGNORECASE)
_REGISTRY = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/(?P<collection>models|components|data)/(?P<name>[^/]+)/"
    r"(?:versions/(?P<version>[^/]+)|labels/latest)\Z",
    re.IGNORECASE,
)
_WORKSPACE = re.compile(
    r"(?:azureml:)?(?://|/)(?:subscriptions|locations)/.*/(?P<collection>models|components|data)/(?P<name>[^/]+)/"
    r"(?:versions/(?P<version>[^/]+)|labels/latest)\Z",
    re.IGNORECASE,
)
_SHORT = re.compile(r"azureml:(?P<name>[^:/@]+)(?::(?P<version>[^:/@]+)|@latest)\Z")
_JOB_OUTPUT = re.compile(r"azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+?)(?:/paths/?.*)?/?\Z", re.IGNORECASE)
_COMPUTE = re.compile(r"(?:azureml:)?(?:/subscriptions/.*/computes/)?(?P<name>[^/:]+)\Z", re.IGNORECASE)


def parse(text: str) -> Reference | None:
    """None where the text has no form that names an object."""
    if match := _JOB_OUTPUT.match(text):
        return JobOutputRef(match["job"], match["output"])
    if match := _BLOB.match(text):
        return BlobRef(match["store"], match["path"])
    if match := _REGISTRY.match(text):
        return AssetRef(match["collection"].lower(), match["name"], match["version"], match["registry"])
    if match := _WORKSPACE.match(text):
        return AssetRef(match["collection"].lower(), match["name"], match["version"])
    if match := _SHORT.match(text):
        return AssetRef("", match["name"], match["version"])
    return None


def compute_name(text: str) -> str:
    """`gpu`, from an ARM id, `azureml:gpu` or the bare name."""
    match = _COMPUTE.match(text)
    return match["name"] if match else text

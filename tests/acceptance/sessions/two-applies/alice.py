"""Somebody else, on another machine, is in the middle of an apply of the spec."""

import uuid
from pathlib import Path

from fineforge import engine
from fineforge.host.holder import Holder

loaded = engine.SpecFile.read(Path("spec.yaml"))
with engine.connect(loaded, "local") as gateway:
    leases, lease = gateway.leases(), str(uuid.uuid4())
    assert leases.take("shop/shop", lease, -1)  # It does not run out while the session goes on.
    run = "https://github.com/shop/ml/actions/runs/7"
    alice = Holder("alice", "runner-7", "2026-03-01T12:00:05Z", "apply", run, "0123456789abcdef")
    leases.write("shop/shop", lease, alice.note())

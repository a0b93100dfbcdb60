"""Switches that only tests use: planted objects and faults, behind `--test-hooks`."""

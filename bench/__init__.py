"""Benchmarks: what fineforge costs, with its peer beside it in the same run. `make bench`; nothing here is a test."""

# `make demo` shows everything on this machine; `make test` is what CI runs. Python 3.11 to 3.13: make PYTHON=python3.12 test
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
JOBS ?= 2

.PHONY: venv demo test lint types unit torture bench azure-check schema picture docs fmt constraints clean

venv: $(INSTALLED)

# An old pip cannot resolve these packages, so it is upgraded first.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "fineforge needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Emulator, plan, apply, answers before and after, plan again.
demo: venv
	$(BIN)/python examples/demo.py

# What CI runs.
test: lint types unit

lint: venv
	$(BIN)/lint-imports --no-cache
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: venv
	$(BIN)/mypy

unit: venv
	$(BIN)/python -m pytest -n $(JOBS) -m 'not torture and not azure'

# Long walks: every resource write killed before and after its effect, larger random worlds.
torture: venv
	$(BIN)/python -m pytest -n $(JOBS) -m torture

bench: venv
	$(BIN)/python -m bench

# The acceptance cases on a real workspace; see docs/azure-check.md. Never instead of the local ones.
azure-check: venv
	@test -n "$(FINEFORGE_TEST_AZURE)" || { echo "set FINEFORGE_TEST_AZURE to a target of a fineforge.yaml: docs/azure-check.md"; exit 1; }
	$(BIN)/python -m pytest -m azure

schema: venv
	$(BIN)/fineforge schema > docs/fineforge.schema.json
	$(BIN)/fineforge schema plan > docs/plan.schema.json
	$(BIN)/fineforge schema events > docs/events.schema.json
	$(BIN)/fineforge schema answers > docs/answers.schema.json

# The README's picture, from a real plan.
picture: venv
	$(BIN)/python docs/picture.py

# Pages that are made from the code.
docs: venv schema
	$(BIN)/python docs/error_codes.py

fmt: venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

constraints: venv
	{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find fineforge tests bench examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

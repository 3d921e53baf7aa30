# make drill   sets up, rehearses the failover playbook on the local estate, prints the verdict, writes the report
# make test    sets up, runs everything that CI runs

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cksum pyproject.toml | cut -d' ' -f1)

.DEFAULT_GOAL := help
.PHONY: help drill test lint docs stranger bench format clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); failover-drill needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[dev]'
	@rm -f $(VENV)/.ready-*
	@touch $@

drill: $(READY) ## rehearse the failover playbook on the local estate
	@$(BIN)/python -m pytest features/failover.feature

test: $(READY) lint ## everything that CI runs
	$(BIN)/python -m pytest --timeout=600 --numprocesses=2 --dist=loadfile $(PYTEST_ARGS)

lint: $(READY) ## formatting, rules, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

docs: $(READY) ## the site, into build/site; dead links end it
	$(BIN)/sphinx-build -q --fail-on-warning --keep-going -b html -c docs -d build/doctrees . build/site

format: $(READY) ## put the code in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

stranger: ## clone and follow the first pages as somebody who was never here; five minutes
	$(PYTHON) scripts/stranger

bench: $(READY) ## the figures that README and benchmarks/ state
	$(BIN)/python -m benchmarks

clean: ## remove what was made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# The few commands of this repository. `make help` lists them.

VENV   := .venv
PY     := $(VENV)/bin/python
ROOTS  := $(CURDIR):$(CURDIR)/platform
export PYTHONPATH := $(ROOTS)

# Test processes; each takes a Redis database of its own.
PROCESSES ?= 2

# Any Python from 3.11 on; PYTHON=/path/to/python chooses one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)

# What is imported gets compiled when it is; compiling everything at once takes longer than installing it.
PIP    := $(PY) -m pip --disable-pip-version-check install -qq --require-hashes --no-deps --no-compile

.DEFAULT_GOAL := help
.PHONY: help run test lint docs bench secrets

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: $(VENV)/runtime ## Serve everything on port 8000 (PORT, CUSTOMHOUSE_HOME), with a tour to copy and paste
	@exec $(PY) -m config.run

test: $(VENV)/dev ## The whole suite; PostgreSQL and Redis tests run where the two answer
	$(PY) -m pytest --numprocesses $(PROCESSES) --dist loadfile $(ARGS)

lint: $(VENV)/dev ## Format, lint, types, import floors, migrations
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	CUSTOMHOUSE_HOME=$$(mktemp -d) $(PY) manage.py makemigrations --check --dry-run
	CUSTOMHOUSE_HOME=$$(mktemp -d) $(PY) manage.py check --fail-level WARNING

docs: $(VENV)/dev ## Write the pages that are made from the code
	$(PY) -m llmgateway.matrix > docs/dialects.md

bench: $(VENV)/dev ## Measure the hot path against nginx in the same run
	$(PY) -m bench $(ARGS)
	$(PY) -m bench.streams

bench-crash: $(VENV)/dev ## kill -9 at 50 random moments under load: nothing lost, nothing twice
	$(PY) -m bench.crash $(ARGS)

secrets: $(VENV)/runtime ## Print a fresh set of secrets for a house of several processes
	@$(PY) -m config.secrets_file

# Made anew only when its lock is newer: a second start installs nothing.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements.lock | $(VENV)/bin/python
	@echo "Installing what requirements.lock names …"
	@$(PIP) -r requirements.lock
	@touch $@

$(VENV)/dev: requirements-dev.lock | $(VENV)/bin/python
	@echo "Installing what requirements-dev.lock names …"
	@$(PIP) -r requirements-dev.lock
	@touch $@ $(VENV)/runtime

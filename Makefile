# `make demo` needs nothing but Python 3.11 and make; everything else goes into .venv, as requirements.lock pins it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPILE := uv pip compile pyproject.toml --no-strip-extras --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header -q
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check --no-compile

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test slow e2e chaos browser pictures test-deploy mutants bench scale fuzz lint lock

help:  ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

setup: $(VENV)/ready  ## Make .venv from requirements.lock (every other target does it first)

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say make PYTHON=python3.12")'
	@echo "Installing into $(VENV), once: about a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## Run the whole pipeline on sample orders and show the result
	@$(BIN)/orders-pipeline demo

dev: setup  ## The same services and `dagster dev` on port 3000, sensors and schedule on
	@$(BIN)/orders-pipeline dev

test: setup  ## Run the tests: each guarantee, and each module
	$(BIN)/python -m pytest

slow: setup  ## The tests of whole runs that `make test` leaves out
	$(BIN)/python -m pytest -m 'slow and not e2e and not chaos'

e2e: setup  ## The pipeline as people use it: real orders, the demo, the documents, an absent table, rights, secrets
	$(BIN)/python -m pytest -m e2e

chaos: setup  ## Faults at every point (EVERY=3: a third), N=300 random histories (SEED=...)
	ORDERS_HISTORIES=$(or $(N),300) ORDERS_EVERY=$(or $(EVERY),1) $(if $(SEED),ORDERS_SEED=$(SEED)) $(BIN)/python -m pytest -m chaos --durations=15

browser: $(VENV)/browser-ready  ## Click through the Dagster UI, in the system's Chromium
	$(BIN)/python -m pytest -m browser -n 0

pictures: $(VENV)/browser-ready  ## The same, and take the screenshots of the docs again
	mkdir -p docs/pictures
	ORDERS_PICTURES=docs/pictures $(BIN)/python -m pytest -m browser -n 0

test-deploy: setup  ## The image and the compose file, on a Docker engine of this machine: twenty minutes
	$(BIN)/python -m pytest -m deploy -n 0 -s

mutants: setup  ## Break each guarantee on purpose, and see a test fail
	$(BIN)/python -m orders_pipeline_tests.chaos.mutants

bench: $(VENV)/bench-ready  ## Costs, beside what one would use instead (ORDERS=1000000: only so many)
	$(BIN)/python -m bench $(ORDERS)

scale: setup  ## What more workers bring, on the stack of docker-compose.yml (docs/scaling.md)
	$(BIN)/python -m bench.workers

$(VENV)/%-ready: $(VENV)/ready requirements-%.lock
	@$(INSTALL) --require-hashes -r requirements-$*.lock
	@touch $@

fuzz: setup  ## Look for bytes that break the reading of files, for SECONDS=60
	$(BIN)/python -m orders_pipeline_tests.fuzz -max_total_time=$(or $(SECONDS),60)

lint: setup  ## Ruff, mypy, the layers that imports keep to, and that Dagster loads the definitions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	DAGSTER_DISABLE_TELEMETRY=yes VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/dg check defs

lock:  ## Pin the newest versions again (needs uv)
	$(COMPILE) --extra embedded --extra dev --extra fuzz --extra deploy --upgrade -o requirements.lock
	$(COMPILE) --extra bench --constraint requirements.lock -o requirements-bench.lock
	$(COMPILE) --extra browser --constraint requirements.lock -o requirements-browser.lock
	$(COMPILE) --extra deploy --constraint requirements.lock -o requirements-deploy.lock

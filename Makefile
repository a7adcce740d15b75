# Every verb sets up what it needs: an environment in .venv from hashed lock files, and the dashboard's libraries.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps
CODE   := services tests benchmarks tools

# `make run` shows the demo fleet beside this host unless it is told otherwise.
OPENMANAGER_DEMO ?= true
export OPENMANAGER_DEMO

.DEFAULT_GOAL := help
.PHONY: help run test check lint type imports fmt protos protos-check assets bench bench-metrics bench-metrics-scale lock up down docs browser-test pictures clean setup setup-dev

help:  ## Show the verbs
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  %-19s %s\n", $$1, $$2}'

$(STAMPS)/build: requirements/build.txt tools/create_environment.sh
	@tools/create_environment.sh $(PYTHON) $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/core: requirements/core.txt pyproject.toml $(STAMPS)/build
	@tools/install.sh $(VENV) -r requirements/core.txt
	@tools/install.sh $(VENV) --editable
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/core
	@tools/install.sh $(VENV) -r requirements/dev.txt
	@touch $@

$(STAMPS)/protos: requirements/protos.txt $(STAMPS)/build
	@tools/create_environment.sh $(PYTHON) $(VENV)/protos
	@tools/install.sh $(VENV)/protos -r requirements/protos.txt
	@touch $@

$(STAMPS)/pictures: requirements/pictures.txt $(STAMPS)/build
	@tools/create_environment.sh $(PYTHON) $(VENV)/pictures
	@tools/install.sh $(VENV)/pictures -r requirements/pictures.txt
	@touch $@

setup: $(STAMPS)/core assets  ## Set up what running needs

setup-dev: $(STAMPS)/dev assets  ## Set up what the checks need

assets: $(STAMPS)/build  ## Fetch the dashboard's JavaScript libraries
	@$(BIN)/python tools/build_assets.py

run: setup  ## Run the suite with its dashboard on http://127.0.0.1:8080
	@exec $(BIN)/openmanager up

test: setup-dev  ## Run the tests; those that need a server which is not installed say so
	$(BIN)/python -m pytest

check: lint type imports protos-check test  ## Everything that CI runs

lint: setup-dev  ## Style of code and protos
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/buf lint protos

type: setup-dev  ## mypy --strict
	$(BIN)/mypy services tests benchmarks tools

imports: setup-dev  ## Who may import whom
	PYTHONPATH=.:gen $(BIN)/lint-imports

fmt: setup-dev  ## Rewrite code in the house style
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/buf format -w protos

protos: $(STAMPS)/protos  ## Write gen/ from protos/
	tools/generate_protos.sh $(VENV)/protos/bin/python

protos-check: setup-dev $(STAMPS)/protos  ## gen/ is fresh and no contract is broken
	tools/check_protos.sh $(VENV)

bench: setup-dev  ## Benchmarks, each beside a named baseline in the same run
	$(BIN)/python -m benchmarks

# Flags such as `--ticks 100` go into BENCH_METRICS.
bench-metrics: setup-dev  ## Metrics beside VictoriaMetrics, Prometheus and InfluxDB
	$(BIN)/python -m benchmarks.metrics $(BENCH_METRICS)

bench-metrics-scale: setup-dev $(STAMPS)/pictures  ## Draw metrics against their amount into docs/images/metrics_scaling.png
	$(BIN)/python -m benchmarks.metrics --scale docs/images/metrics_scaling.csv
	PYTHONPATH=. $(VENV)/pictures/bin/python -m benchmarks.metrics.picture docs/images/metrics_scaling.csv docs/images/metrics_scaling.png

browser-test: setup-dev  ## The dashboard in headless Chromium
	$(BIN)/python -m pytest tests/browser

docs: setup-dev  ## Write the reference pages that are made from the code
	$(BIN)/python -m tools.generate_docs

pictures: $(STAMPS)/pictures  ## Draw a healthy week and each fault of the virtual fleet into docs/images/fleet
	PYTHONPATH=.:gen $(VENV)/pictures/bin/python -m tools.draw_fleet docs/images/fleet

lock: $(STAMPS)/build  ## Write the lock files anew
	tools/lock.sh $(BIN)/uv

up:  ## Run the suite in a container
	docker compose --profile default up --build --detach

down:  ## Stop the containers
	docker compose --profile default --profile split down

clean:  ## Remove the environment and everything made
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache services/gateway/static/vendor

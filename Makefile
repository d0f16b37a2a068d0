# Airlock. `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
HOME_DIR := $(abspath $(or $(AIRLOCK_HOME),var))
export AIRLOCK_HOME := $(HOME_DIR)
# A proxy may have a certificate that only the machine's own store knows.
export UV_SYSTEM_CERTS ?= true

.DEFAULT_GOAL := help
.PHONY: help setup demo test up down lint lock bench image clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv from the lock; .venv/bin/airlock runs from there

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup $(VENV)
	@touch $@

demo: setup ## start everything on this machine and carry four real transfers
	@$(BIN)/python -m demo run

up: setup ## start Airflow, two PACS and the REDCap sandbox on the loopback interface
	@$(BIN)/python -m demo up

down: ## stop what `make up` or `make demo` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m demo down; else echo "Nothing was set up here."; fi

image: setup ## build the pixel rewriter's container image (Docker, debootstrap)
	@images/pixel-rewriter/build

test: setup ## run every test that this machine has the peers for
	@$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder

lint: setup ## check style, types, layers and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

lock: setup ## recompile requirements*.txt from requirements*.in
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --override requirements-overrides.txt \
	  --custom-compile-command "make lock" -q requirements.in -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --override requirements-overrides.txt \
	  --custom-compile-command "make lock" -q requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --python-version 3.11 --generate-hashes --override requirements-overrides.txt \
	  --custom-compile-command "make lock" -q images/pixel-rewriter/requirements.in -o images/pixel-rewriter/requirements.txt

bench: setup ## measure against the named peers
	@$(BIN)/python -m bench

clean: down ## remove .venv and var
	rm -rf $(VENV) $(HOME_DIR)

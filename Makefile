# The two commands that matter: `make demo` and `make test`. Both set up what they need.
SHELL := /bin/sh
BIN := .venv/bin
CODE := schoolctl service tests benchmarks scripts
PYTEST := $(BIN)/python -m pytest -n auto --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-faults test-soak test-thorough check check-stack size bench docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv from the locked requirements
	@scripts/setup.sh

demo: setup ## the whole workflow on a local AWS: push, seed, deploy, register, roll back
	@scripts/engine.sh
	@$(BIN)/python scripts/demo.py

test: setup ## all tests; what needs a Docker engine or Chromium is skipped, by name, without it
	@scripts/engine.sh tests || [ "$$CI" != true ]
	@scripts/browser.sh || [ "$$CI" != true ]
	@$(PYTEST) -m "not faults and not soak"

test-faults: setup ## kill, cut off and refuse every command at every call, and run it again
	@scripts/engine.sh tests || [ "$$CI" != true ]
	@$(PYTEST) -m faults

test-soak: setup ## the service under load for minutes: its database killed, cut off, silent, full
	@scripts/engine.sh tests || [ "$$CI" != true ]
	@$(BIN)/python -m pytest -m soak

test-fast: setup ## the tests that need neither a Docker engine nor Chromium
	@$(PYTEST) -m "not engine and not e2e and not browser and not faults and not soak"

test-thorough: setup ## the same; properties on many more examples
	@HYPOTHESIS_PROFILE=thorough $(PYTEST) -m "not engine and not e2e and not browser and not faults and not soak"

check: setup ## lint, format, types and import rules
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-cache

size: setup ## lines of code for each subject, without blank lines, comments and docstrings
	@$(BIN)/python -m scripts.size

check-stack: setup ## the stack's template before checkov, in an environment of its own
	@$(BIN)/python -m scripts.check_stack

bench: setup ## the benchmarks, as ratios
	@scripts/engine.sh
	@$(BIN)/python -m benchmarks

docs: setup docs/images/form-320.png ## docs/commands.md, from the commands; pictures of the form
	@$(BIN)/python -m scripts.reference > docs/commands.md.new
	@mv docs/commands.md.new docs/commands.md

docs/images/form-320.png: scripts/screenshots.py $(wildcard service/templates/* service/static/*) | setup
	@scripts/browser.sh
	@$(BIN)/python -m scripts.screenshots docs/images

lock: setup ## the locked requirements anew: requirements/dev.txt and the service's
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	    --python-version 3.11 --extra sandbox --extra dev \
	    --custom-compile-command "make lock" pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	    --python-version 3.11 --no-annotate --no-emit-find-links \
	    --custom-compile-command "make lock" service/requirements.in -o service/requirements.txt

clean: ## take the sandbox down, and remove what the other targets made
	@if [ -d .schoolctl ] && [ -x $(BIN)/schoolctl ]; then $(BIN)/schoolctl sandbox down; fi
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

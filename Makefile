# Everything works from a fresh clone: each target sets up .venv first if need be. Needs make and Python 3.11 to 3.13.

.DEFAULT_GOAL := help
.PHONY: help demo test system check soak bench docs lock clean servers kernels page

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PAGE := tests/gateway/web
# Whole systems, the page in a browser, and what takes many seconds a test: `make test` stays under ten minutes without.
SYSTEMS := tests/system tests/e2e tests/faults tests/browser tests/benchmarks \
	tests/deploy/test_compose.py tests/deploy/test_wheel.py \
	tests/documentation/test_commands.py tests/documentation/test_extending.py tests/documentation/test_notebooks.py \
	tests/extractor/test_engines.py tests/extractor/test_feature_maps.py tests/extractor/test_loading.py \
	tests/extractor/test_own_backbone.py \
	tests/learner/test_crashes.py tests/learner/test_forgetting_crashes.py tests/learner/test_pruned_log.py \
	tests/learner/life/test_crashes.py tests/learner/replay/test_workers.py tests/learner/exports/test_example_rows.py \
	tests/library/test_docstrings.py tests/offline/evaluation/test_same_fold.py tests/offline/export/test_files.py \
	tests/producer/test_process.py tests/shared/features/test_memory.py
# Tests start hundreds of processes: without the byte code each would compile what it imports anew.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

help:  ## Show this list
	@awk -F ":.*## " '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' Makefile

demo: $(READY)  ## Stream handwritten digits into a model and show the page
	@$(BIN)/prequel demo

test: $(READY) servers kernels  ## Run the tests, but those of whole systems, of the page in a browser, and the slow ones
	@$(PYTEST) --numprocesses 5 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(SYSTEMS))

system: $(READY) servers kernels  ## Run the tests of whole systems (many processes, Kafka, Redis, kill -9), of the page, and the slow ones
	@$(PYTEST) --numprocesses 3 --dist loadfile --no-loadscope-reorder $(SYSTEMS)

check: $(READY) page  ## Lint, format, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict
	@$(BIN)/python -m pytest -q tests/test_imports.py

# Once, or each process of the tests would compile them at the same time, and the first tests wait too long.
kernels: $(READY)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m tests.kernels

# Types and lint of the page's JavaScript. Both tools come from npm, as package-lock.json pins them.
page: servers
	@cd $(PAGE); cmp -s package-lock.json node_modules/.installed || { \
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.installed; \
	} || { \
		echo "*** NOT CHECKED: the page's JavaScript. It needs Node, npm and, the first time, a network. ***" >&2; \
		[ -z "$$CI" ]; exit; \
	}; \
	cd - >/dev/null; set -e; \
	$(PAGE)/node_modules/.bin/tsc --project $(PAGE); \
	$(PAGE)/node_modules/.bin/eslint --config $(PAGE)/eslint.config.js services/gateway/web $(PAGE)

soak: $(READY) servers kernels  ## Run the long fault tests
	@$(PYTEST) -m soak

bench: $(READY)  ## Measure what README claims
	@failed=""; for script in $(basename $(filter-out %/__init__.py %/train_%.py %/make_%.py,$(wildcard benchmarks/*.py))); do \
		echo "== $$script"; $(BIN)/python -m $$(echo $$script | tr / .) || failed="$$failed $$script"; \
	done; if [ -n "$$failed" ]; then echo "not measured:$$failed" >&2; exit 1; fi

docs: $(READY)  ## Write the parts of the documents that repeat what the code says
	@$(BIN)/python -m tests.documentation

lock: $(READY)  ## Pin the newest packages that pyproject.toml allows, with their hashes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
		--extra all --group dev pyproject.toml --output-file requirements.lock
	@# What each container image needs of it, and no more.
	@set -e; compile="$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --constraint requirements.lock"; \
	for service in extractor learner; do \
		$$compile --extra $$service --extra kafka --extra redis pyproject.toml --output-file locks/$$service.txt; \
	done; \
	$$compile --extra gateway --extra learner --extra kafka --extra redis pyproject.toml --output-file locks/gateway.txt; \
	$$compile --extra learner --extra neural --extra kafka --extra redis pyproject.toml \
		--output-file locks/learner-keras.txt; \
	$$compile --extra extractor --extra gpu --extra kafka --extra redis pyproject.toml \
		--output-file locks/extractor-gpu.txt; \
	$$compile --extra producer pyproject.toml --output-file locks/producer.txt; \
	$$compile --group build --output-file locks/build.txt

clean:  ## Remove the environment and the caches, not the data
	@rm -rf $(VENV) $(PAGE)/node_modules build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first Python that fits; a virtual environment; the locked packages; the project itself, as links.
$(READY): requirements.lock pyproject.toml
	@fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11 ""; do \
		if [ -z "$$python" ] || "$$python" -c "$$fits" 2>/dev/null; then break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Prequel needs Python 3.11, 3.12 or 3.13; here is $$(python3 --version 2>&1)." >&2; \
		echo "Install one of them, or name it: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$python" --version); the first time takes minutes."; \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# What tests talk to beside Python packages, from Debian's archive where that can be; RUNLEVEL=1: installed, not started.
servers:
	@missing=""; \
	for program in chromium-headless-shell kcat npm prometheus redis-server; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	root=""; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
	if command -v apt-get >/dev/null && $$root true 2>/dev/null; then \
		echo "Installing$$missing"; \
		set -- env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq; \
		$$root "$$@" update && $$root "$$@" install --no-install-recommends $$missing && exit 0; \
	fi; \
	echo "*** MISSING:$$missing. Tests that need them are skipped; install them to run these too. ***" >&2

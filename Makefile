SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
CONNECTORS := $(patsubst %/pyproject.toml,%,$(wildcard source-*/pyproject.toml))
# One of them alone: make test CONNECTOR=source-fullstory
CONNECTOR ?=
# For networks of one's own: make image BUILD_FLAGS='--network host --build-arg HTTPS_PROXY=...'
BUILD_FLAGS ?=

BIN := $(CURDIR)/.venv/bin
IN_EACH = for connector in $(or $(CONNECTOR),$(CONNECTORS)); do echo "-- $$connector"; cd $(CURDIR)/$$connector;
END = ; done

define check_python
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || { echo "Python 3.11 or newer is needed. Name one: make $@ PYTHON=python3.13"; exit 1; }
endef

.PHONY: help
help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# -- for users

.PHONY: demo
demo: .venv-demo/installed  ## See data land in DuckDB: a simulated Close and FullStory, two syncs of each, the tables
	@.venv-demo/bin/python demo/demo.py $(CONNECTOR:%=--connector %)

.PHONY: sync
sync: .venv-demo/installed  ## The same with a real account: make sync CONFIG=my_config.json [CONNECTOR=source-fullstory]
	@.venv-demo/bin/python demo/demo.py $(CONNECTOR:%=--connector %) --config "$(or $(CONFIG),$(error Say which config: make sync CONFIG=my_config.json))"

.PHONY: image
image:  ## Build the images, tagged as metadata.yaml says
	@$(IN_EACH) \
	  name=$$(sed -n 's/^ *dockerRepository: *//p' metadata.yaml); \
	  version=$$(sed -n 's/^ *dockerImageTag: *//p' metadata.yaml); \
	  docker build --tag "$$name:$$version" $(BUILD_FLAGS) . \
	$(END)

# -- for developers

# Not measured: the simulators' own tests, and kills, whose counts die with the process.
UNMEASURED := unit_tests/test_simulator*.py unit_tests/test_kill*.py
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist worksteal
# Containers, which mostly wait.
IN_CONTAINERS := -n 3 --dist loadfile

define all_tests
$(BIN)/coverage erase; \
$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE) unit_tests $(UNMEASURED:%=--ignore-glob '%'); \
$(BIN)/coverage combine --quiet; \
$(BIN)/coverage report; \
$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(UNMEASURED); \
$(BIN)/python -m pytest $(IN_CONTAINERS) integration_tests
endef

.PHONY: test
test: lint types  ## Run every check: lint, types, unit tests, Airbyte's standard tests, the image
	@$(IN_EACH) $(if $(ARGS),$(BIN)/python -m pytest $(ARGS),$(all_tests)) $(END)
	@cd demo; $(BIN)/python -m pytest -q -p no:cacheprovider

.PHONY: lint
lint: .venv/installed  ## Rules and format of Python and JSON; and that what both connectors have is the same in both
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/python scripts/format_json.py --check
	@$(BIN)/python scripts/check_twins.py

.PHONY: format
format: .venv/installed  ## Mend what can be mended: ruff, and the layout of JSON
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format
	@$(BIN)/python scripts/format_json.py

.PHONY: twins
twins: .venv/installed  ## Copy kit/ and what else both have to the other connector: make twins FROM=source-closeio
	@$(BIN)/python scripts/check_twins.py --copy "$(or $(FROM),$(error Say which is right: make twins FROM=source-closeio))"

.PHONY: types
types: .venv/installed  ## mypy --strict
	@$(BIN)/mypy scripts simkit
	@cd demo; $(BIN)/mypy --config-file ../pyproject.toml .
	@$(IN_EACH) $(BIN)/mypy --config-file ../pyproject.toml . $(END)

.PHONY: bench
bench: .venv/installed  ## Measure against a floor program, as ratios
	@$(IN_EACH) $(BIN)/python -m bench $(ARGS) $(END)

# The CDK asks for them, and only its tests and its command line import them.
NOT_IN_IMAGES := boltons click markdown-it-py mdurl pygments rich rich-click

.PHONY: lock
lock: .venv/installed  ## Compile the locks anew; with UPGRADE=1 to the newest versions
	@compile() { $(BIN)/uv pip compile --quiet --no-header --annotation-style line --generate-hashes \
	    $(if $(UPGRADE),--upgrade) "$$@"; }; \
	compile --universal --python-version 3.11 --group pyproject.toml:dev source-*/pyproject.toml \
	    --output-file requirements-dev.lock; \
	for connector in $(CONNECTORS); do \
	  compile --python-version 3.13 --python-platform linux --constraint requirements-dev.lock \
	    $(NOT_IN_IMAGES:%=--no-emit-package %) $$connector/pyproject.toml \
	    --output-file $$connector/requirements.lock; \
	done; \
	cd demo; compile --universal --python-version 3.11 pyproject.toml --output-file requirements.lock
	@$(MAKE) --no-print-directory licenses

.PHONY: licenses
licenses: .venv/installed  # a part of lock: the environment has to be the new one
	@$(BIN)/python scripts/list_licenses.py

.PHONY: clean
clean:  ## Remove environments, databases and caches
	rm -rf .venv .venv-demo .demo .mypy_cache .ruff_cache demo/.mypy_cache
	rm -rf source-*/{.coverage*,.hypothesis,.pytest_cache,.mypy_cache,.tmp,build,dist,integration_tests/.run}
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- environments, each from its lock

# editable: the console script runs the code as it stands
INSTALL_CONNECTORS = pip install -qq --no-deps --no-build-isolation $(CONNECTORS:%=--editable %) --editable simkit

.venv/installed: requirements-dev.lock $(CONNECTORS:%=%/pyproject.toml) simkit/pyproject.toml
	@$(check_python)
	@echo "Installing $$(grep -c '^[a-z]' $<) packages into .venv ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install -qq --no-deps --require-hashes --requirement $<
	@$(BIN)/$(INSTALL_CONNECTORS)
	@touch $@

# PyAirbyte brings five times as much as everything else here, so it has an environment of its own.
.venv-demo/installed: demo/requirements.lock $(CONNECTORS:%=%/pyproject.toml) simkit/pyproject.toml
	@$(check_python)
	@$(PYTHON) -m venv --clear .venv-demo
	@total=$$(grep -c '^[a-z]' $<); echo "PyAirbyte: $$total packages, about 200 MB to download, once"; \
	.venv-demo/bin/pip install --progress-bar off --no-compile --no-deps --require-hashes --requirement $< \
	    2>.venv-demo/pip.err | awk -v total=$$total -v start="$$([ -t 1 ] && printf '\r  ' || printf '\n  ')" \
	    '/^(Collecting|Processing|Ignoring)/ {sub(".*/", "", $$2); printf "%s%3d of %d  %-50.50s", start, ++n, total, $$2} \
	     /^Installing/ {printf "%sunpacking ... %-50s", start, ""} {fflush()} END {print ""}' \
	|| { cat .venv-demo/pip.err; exit 1; }
	@.venv-demo/bin/$(INSTALL_CONNECTORS)
	@touch $@

# One front door. `make demo` and `make test` each set up what they need, inside this folder only.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SHARED := $(or $(KINE_SHARED),../shared)
NODE_DIR := build/node
ARGS ?=

# The stamps say that the environment holds what the locks say.
CREATED := $(VENV)/.created
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(CREATED):
	@for python in "$(PYTHON)" python3.11 python3; do \
	  [ -n "$$python" ] && command -v "$$python" >/dev/null 2>&1 || continue; \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$$python lacks the venv module (Debian: apt-get install python3-venv)." >&2; exit 1; }; \
	  echo "Creating $(VENV) with $$python"; \
	  "$$python" -m venv $(VENV) && touch $@; exit $$?; \
	done; \
	echo "Python 3.11 or later is needed; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1

$(RUNTIME): $(CREATED) requirements.lock requirements-build.lock pyproject.toml
	@echo "Installing what the gateway runs on (into $(VENV))"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --require-hashes -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	@echo "Installing the development tools (into $(VENV))"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: setup
setup: $(DEV) ## Create .venv with everything development needs

.PHONY: demo
demo: $(RUNTIME) ## Deliver the fixture cases to a sandbox operator and DMP on this machine
	@$(BIN)/kine-gateway demo $(ARGS)

.PHONY: test
test: $(DEV) node-tools ## Run the tests (ARGS="-k name" for some of them)
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

.PHONY: crash
crash: $(DEV) ## Kill the gateway at length: real mail servers, then the campaign on both stores (about an hour; prints its figures)
	@KINE_REAL_KILLS=$(or $(KILLS),40) $(BIN)/python -m pytest -m crash -p no:randomly -s $(ARGS)
	@$(BIN)/python -m tests.crash.campaign $(CAMPAIGN)

.PHONY: fuzz
fuzz: $(DEV) build/.fuzz-installed ## Feed every parser a million hostile inputs (RUNS=1000000; minutes; prints a table)
	@$(BIN)/python -m tests.fuzz.run --executions $(or $(RUNS),1000000) $(ARGS)

# Coverage-guided where atheris has a wheel; mutations alone elsewhere.
build/.fuzz-installed: requirements-fuzz.lock | $(DEV)
	@mkdir -p build
	@$(PIP) install --require-hashes -r requirements-fuzz.lock \
	  || echo "atheris has no wheel for this system: mutations run without coverage"
	@touch $@

.PHONY: sbom
sbom: $(DEV) ## Write the list of parts with hashes and licences (build/sbom.cdx.json)
	@$(BIN)/python -m tests.tools.sbom

.PHONY: check
check: $(DEV) ## Format, lint, types, import floors, architecture tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -q tests/architecture

.PHONY: bench
bench: $(DEV) ## Measure the budgets (results in build/bench)
	@mkdir -p build/bench
	@$(BIN)/python -m pytest -m bench -p no:randomly -s tests/bench $(ARGS)

.PHONY: fixtures
fixtures: $(DEV) ## Rebuild everything derived in fixtures/ and show whether a byte changed
	@$(BIN)/python fixtures/build.py
	@git diff --stat --exit-code -- fixtures

.PHONY: servers
servers: ## Install the Debian packages of the real-server tests (outside this folder; asks for root)
	@tests/tools/install_servers.sh

.PHONY: lock
lock: $(DEV) ## Resolve the dependencies again (UPGRADE=1 takes the newest)
	@tests/tools/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: package
package: $(DEV) ## Build the wheel and the source archive into dist/
	@$(BIN)/python -m build --no-isolation --outdir dist .

.PHONY: clean
clean: ## Remove what make made here, the environment included
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The FHIR checker is a Node program; the two packages it wants stay in build/.
.PHONY: node-tools
node-tools:
	@if ! command -v npm >/dev/null 2>&1; then echo "npm is missing: the FHIR conformance tests will be skipped"; \
	elif [ ! -e $(SHARED)/tools/fhircheck.mjs ]; then echo "$(SHARED) is missing: the conformance tests will be skipped"; \
	else $(MAKE) --no-print-directory $(NODE_DIR)/.installed \
	  || echo "npm could not fetch its packages: the FHIR conformance tests will be skipped"; fi

$(NODE_DIR)/.installed: tests/tools/package.json
	@echo "Installing the FHIR checker's packages (into $(NODE_DIR))"
	@mkdir -p $(NODE_DIR) && cp tests/tools/package.json $(NODE_DIR)/
	@cd $(NODE_DIR) && npm install --silent --no-package-lock --ignore-scripts --no-audit --no-fund
	@touch $@

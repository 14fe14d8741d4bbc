# Needs nothing but make and a Python >=3.11,<3.14: everything else goes into .venv, from requirements.lock.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# What installs and audits the rest: `make lock` writes the hashes of these versions into bootstrap/.
UV_VERSION := 0.13.9
# The pip of an older Python refuses a locked requirement with extras that another package asks for without them.
PIP_VERSION := 26.3
PIP_AUDIT_VERSION := 2.10.1
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Without bytecode every process would compile Dagster and dbt anew, which takes longer than a run.
unexport PYTHONDONTWRITEBYTECODE
# A checkout's own environment: not one that happens to be active.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help demo run test dev lint bench soak simulation days fortnight organizations readers growth mutants snapshot lock licenses clean

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Reconcile a simulated organization and print the summary
	@$(BIN)/tieout demo

run: $(INSTALLED) ## Reconcile the organization that the settings name
	@$(BIN)/tieout run

dev: $(INSTALLED) ## Open the Dagster UI
	@exec $(BIN)/tieout dev

test: lint ## Lint, types and all tests: what CI runs
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

soak: $(INSTALLED) ## Read the sandbox through 10,000 faults and look for what was lost
	$(BIN)/python -m tests.soak

simulation: $(INSTALLED) ## Hourly runs of a large organization for a week: what they ask for, and what they find
	$(BIN)/python -m tests.simulation

days: $(INSTALLED) ## Twenty organizations over thirty days, every record compared with what was planted every day
	$(BIN)/python -m tests.days

fortnight: $(INSTALLED) ## Two weeks of mornings: what happens, what is told of it, and what readers see meanwhile
	$(BIN)/python -m tests.fortnight
	$(BIN)/python -m tests.fortnight_of_three

organizations: $(INSTALLED) ## One run of 200 organizations, some of them broken: how long, and whether rows go astray
	$(BIN)/python -m tests.organizations

readers: $(INSTALLED) ## Twenty readers of the published file while ten runs go through
	$(BIN)/python -m tests.readers

growth: $(INSTALLED) ## The runs of 500 nights: what they leave on the disk, and whether they grow slower
	$(BIN)/python -m tests.growth

lint: $(INSTALLED) ## Lint, types and import walls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar --processes 0 transform

snapshot: $(INSTALLED) ## Keep what Dagster is told now as what is meant
	$(BIN)/python -m tests.definitions_snapshot > tests/contract/definitions.new
	mv tests/contract/definitions.new tests/contract/definitions.txt

mutants: $(INSTALLED) ## Do the unit tests notice when a rule of the warehouse is wrong? Writes docs/mutants.md
	$(BIN)/python -m tests.mutation --write

bench: $(INSTALLED) ## Measure a large organization
	$(BIN)/python -m tests.bench

LOCK := $(BIN)/uv pip compile --system-certs --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet

lock: $(INSTALLED) ## Write requirements.lock and bootstrap/ anew
	$(LOCK) pyproject.toml --all-extras --output-file requirements.lock
	echo uv==$(UV_VERSION) | $(LOCK) - --output-file bootstrap/uv.txt
	echo pip==$(PIP_VERSION) | $(LOCK) - --output-file bootstrap/pip.txt
	echo pip-audit==$(PIP_AUDIT_VERSION) | $(LOCK) - --output-file bootstrap/pip-audit.txt

licenses: $(INSTALLED) ## List the licenses of all packages in docs/licenses.md, and all packages in dist/sbom.cdx.json
	$(BIN)/python -m tests.licenses

clean: ## Remove what the commands made, the data of the demo included; other data stays
	rm -rf $(VENV) data/demo build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv takes seconds; where it cannot be had or fails, pip does the same from the same lock.
$(INSTALLED): requirements.lock pyproject.toml bootstrap/uv.txt bootstrap/pip.txt
	@for candidate in python3.13 python3.12 python3.11 python3 python; do \
		if $$candidate -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
		then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Error: no Python >=3.11,<3.14 found: install one." >&2; exit 2; fi; \
	echo "Installing into $(VENV) (once)"; \
	$$python -m venv --clear $(VENV)
	@{ $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap/uv.txt \
		&& $(BIN)/uv pip sync --quiet --system-certs --require-hashes --python $(BIN)/python requirements.lock; } \
		|| { $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap/pip.txt \
		&& $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

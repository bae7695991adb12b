# Everything one types: `make` lists it. Needs git, make and Python 3.11 or newer with venv; the rest is installed into .venv.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
SUITE ?= $(shell sed -n 's/^suite: *\([^ \#]*\).*/\1/p' params.yaml)
ARCHIVES ?=
PORT ?= 5000

# Named by content, not by date: a fresh checkout of the same lock files installs nothing.
STAMP := $(VENV)/installed-$(shell cat requirements.lock requirements-cpu.lock requirements-cuda.lock pyproject.toml | cksum | cut -d' ' -f1)
# The lock lists all that is needed, so that nothing is looked for; what has no wheel is built with what it lists.
PIP_LOCKED := $(BIN)/python -m pip install --disable-pip-version-check --require-hashes --no-deps --no-build-isolation
# torch's public build for Linux needs CUDA's libraries, which PyTorch's CPU builds do not; those are taken where pip finds one.
ASKS_FOR_CUDA := 'import sys; from importlib.metadata import requires; sys.exit("cuda-toolkit" not in str(requires("torch")))'
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) --config suite=$(SUITE) $(if $(ARCHIVES),'archives=$(ARCHIVES)') --
PYTHON_FILES := pstl tests workflow benchmarks supply website setup.py
RULE_FILES := Snakefile workflow

.DEFAULT_GOAL := help
.PHONY: help install lock run report ui docs site sbom test check format bench figures clean

help:  ## list these targets
	@echo "make TARGET [CORES=n] [SUITE=name] [ARCHIVES=folder] [PYTHON=python3.x]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s%s\n", $$1, $$2 }' Makefile

install: $(STAMP)  ## make .venv with the pinned versions of requirements.lock

lock:  ## make the lock files anew of pyproject.toml and requirements.in; UPGRADE=1: with the newest versions
	@test -x $(BIN)/uv || { echo "no $(BIN)/uv; run 'make install' first" >&2; exit 2; }
	@$(BIN)/python -m supply.lock $(if $(UPGRADE),--upgrade)
	@git diff --stat -- 'requirements*.lock'

run: install  ## run the suite to finished tables; carries on where it was stopped
	@echo "== run: suite $(SUITE), whatever is missing or out of date, on $(CORES) cores"
	@$(BIN)/python workflow/resume.py
	@$(SNAKEMAKE)
	@echo "== done: tables in results/$(SUITE)/tables, everything on one page in results/$(SUITE)/report/index.html, every suite in results/index.html"

report: install  ## make only the tables and the page anew, from the rows there are
	@$(BIN)/python -m pstl report --suite $(SUITE) --out results/$(SUITE)/tables
	@$(BIN)/python -m pstl page --suite $(SUITE) --out results/$(SUITE)/report/index.html
	@$(BIN)/python -m pstl index --out results/index.html

ui:  ## MLflow's pages of every run, on http://127.0.0.1:5000
	@test -f mlflow.db || { echo "no mlflow.db here; run 'make run' first" >&2; exit 2; }
	@$(MAKE) --no-print-directory install
	@$(BIN)/python -m pstl ui --suite $(SUITE) --port $(PORT)

docs: install  ## put kept results (results/measured) into the pages that quote them, draw their pictures, list licences
	@$(BIN)/python -m pstl quote $$(grep -l '^<!-- results: ' README.md docs/*.md docs/methods/*.md)
	@$(BIN)/python -m pstl papers results/measured --out results/papers
	@$(BIN)/python -m website.pictures
	@$(BIN)/python -m supply.licences docs/licences.md
	@$(BIN)/python -m pstl check --schema >.settings.schema.json && mv .settings.schema.json settings.schema.json

sbom: install  ## the bill of materials of what is installed, sbom.cdx.json (CycloneDX)
	@$(BIN)/python -m supply.bom sbom.cdx.json

site: install  ## all pages as a site: build/site/index.html, without network; links are checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --config-file website/mkdocs.yml
	@echo "== done: build/site/index.html; addresses that pages name: build/site/external-links.txt"

test: install  ## run every test
	@echo "== test: pytest"
	@$(BIN)/python -m pytest -n $(if $(filter all,$(CORES)),auto,$(CORES)) --dist loadfile --max-worker-restart 1

check: install  ## formatting, lint, types, rules, settings
	@echo "== check: ruff"
	@$(BIN)/ruff format --check $(PYTHON_FILES)
	@$(BIN)/ruff check $(PYTHON_FILES)
	@echo "== check: mypy"
	@$(BIN)/mypy
	@echo "== check: rules"
	@$(BIN)/snakefmt --check $(RULE_FILES)
	@lint=$$($(BIN)/snakemake --lint 2>&1); \
	  echo "$$lint" | grep -q -e '^Lints for' -e '^Congratulations' || { echo "$$lint"; exit 1; }; \
	  complaints=$$(echo "$$lint" | grep '^    \* ' | grep -v 'Specify a conda environment or container'); \
	  if [ -n "$$complaints" ]; then echo "$$lint"; exit 1; fi  # the environment is .venv, so that one complaint does not apply
	@echo "== check: settings and plug-ins"
	@$(BIN)/python -m pstl check

format: install  ## rewrite code and rules in the house's format
	@$(BIN)/ruff format $(PYTHON_FILES)
	@$(BIN)/ruff check --fix $(PYTHON_FILES)
	@$(BIN)/snakefmt $(RULE_FILES)

bench: install  ## samples per second and memory of every method on this machine
	@$(BIN)/python -m pstl bench

figures: install  ## how the code reads, in numbers beside their goals, with the worst places
	@$(BIN)/python -m benchmarks.figures

clean:  ## remove caches, and what killed jobs left half-made; data, results and .venv stay
	@if [ -x $(BIN)/python ]; then $(BIN)/python workflow/clean.py; fi
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find pstl tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "kept: data/, results/, mlflow.db, .snakemake/ and .venv/; remove them by hand if you mean to"

$(STAMP):
	@python="$(PYTHON)"; \
	for name in $${python:-python3 python3.13 python3.12 python3.11}; do \
	  if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "no Python 3.11 to 3.13 (looked for: $${python:-python3, python3.13, python3.12, python3.11}); install one, or name it: make PYTHON=/path/to/python3" >&2; exit 2; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$found has no venv; on Debian: apt install python3-venv" >&2; exit 2; \
	fi; \
	if ! $(BIN)/python -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then \
	  echo "== install: making $(VENV) with $$($$found --version)"; "$$found" -m venv --clear $(VENV); \
	fi
	@echo "== install: $$(grep -c == requirements.lock) pinned packages, about 2 GB, a few minutes (log: $(VENV)/install.log)"
	@{ $(PIP_LOCKED) -r <(sed -n '/^setuptools==/,/[^\\]$$/p' requirements.lock) \
	    && { $(PIP_LOCKED) -r requirements-cpu.lock || echo "pip is shown no CPU build of torch: the public one is taken"; } \
	    && $(PIP_LOCKED) -r requirements.lock \
	    && if $(BIN)/python -c $(ASKS_FOR_CUDA); then $(PIP_LOCKED) -r requirements-cuda.lock; fi; } >$(VENV)/install.log 2>&1 \
	  || { tail -n 20 $(VENV)/install.log >&2; echo "installation failed; the whole log is $(VENV)/install.log" >&2; exit 2; }
	@echo "== install: this project, editable"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e . >>$(VENV)/install.log 2>&1 \
	  && $(BIN)/python -m pip check >>$(VENV)/install.log 2>&1 \
	  || { tail -n 20 $(VENV)/install.log >&2; exit 2; }
	@rm -f $(VENV)/installed-* && touch $@

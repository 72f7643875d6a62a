# Everything a person or a CI runs. `make help` lists it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

# Any Python from 3.11 on; `make PYTHON=/path/to/python3.12 env` picks one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed
# The lock names every package, so there is nothing to resolve; bytecode is made of what is imported.
PIP_LOCKED := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes -r
ARGS ?=

.PHONY: help env up test check fmt lock rehearse bench docs site helm chart image sbom release

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

env: $(STAMP) ## create .venv from the locked requirements, and again when they change

$(STAMP): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "clawback needs Python 3.11 or newer; install one, or name it: make PYTHON=/path/to/python3.12 env" >&2; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=/path/to/python3.12 env" >&2; exit 3; }
	@test -x $(BIN)/python && $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		$(PYTHON) -m venv --clear .venv || \
		{ echo "$(PYTHON) cannot create a virtual environment; install its venv module (Debian: apt install python3-venv)" >&2; exit 3; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null 2>&1 || \
		{ echo ".venv has no pip and cannot get it; remove .venv, then run make env again" >&2; exit 3; }
	@echo "Installing the locked requirements into .venv; the first time takes a minute."
	@$(PIP_LOCKED) requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

up: env ## run everything on this machine; without credentials against the simulator
	@exec $(BIN)/clawback up $(ARGS)

# Reordered by their number of tests, the files of few and slow tests would come last. The tests
# start hundreds of processes, each of which would compile the program again without bytecode files.
test: env ## run all tests, two processes per core (ARGS="-k name" selects some)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: env ## lint, format, types, imports, rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clawback rules check rules
	$(BIN)/clawback rules test rules

fmt: env ## format, and apply automatic fixes
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: env ## resolve pyproject.toml into requirements/
	$(BIN)/uv pip compile pyproject.toml --extra dev $(LOCK) -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml -c requirements/dev.txt $(LOCK) -o requirements/run.txt
	echo hatchling | $(BIN)/uv pip compile - -c requirements/dev.txt $(LOCK) -o requirements/build.txt
	$(BIN)/uv pip compile pyproject.toml --extra deploy -c requirements/dev.txt $(LOCK) -o requirements/deploy.txt
	$(BIN)/uv pip compile pyproject.toml --extra docs -c requirements/dev.txt $(LOCK) -o requirements/docs.txt

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links

rehearse: env ## run a corpus through a real worker and judge it (ARGS="--corpus FILE")
	@exec $(BIN)/clawback rehearse $(ARGS)

bench: env ## run the benchmarks (ARGS selects one)
	@$(BIN)/python -m bench $(ARGS)

docs: env ## write the generated parts of docs/ and rules/schema.json; fail if they changed
	@$(BIN)/python -m docs.generate

$(BIN)/mkdocs: $(STAMP) requirements/docs.txt
	@$(PIP_LOCKED) requirements/docs.txt
	@touch $@

site: $(BIN)/mkdocs ## build the documentation as a site into build/site/html; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m docs.build_site --quiet
	@echo "build/site/html/index.html"

helm: env ## install what the tests of the chart and the SBOM need (350 MB)
	@$(PIP_LOCKED) requirements/deploy.txt

chart: helm ## package the Helm chart into dist/
	@mkdir -p dist
	@$(BIN)/python -c 'from helm_python.chart import package; print(package("deploy/helm/clawback", destination="dist"))' 2>/dev/null

image: ## build the container image with buildah or docker (PYTHON_IMAGE, IMAGE)
	@deploy/container/build

release: env ## build a release into dist/: wheel, sdist, chart, SBOM, site, image, checksums (VERSION=0.2.0)
	@deploy/release "$(VERSION)"

sbom: helm ## write dist/clawback.cdx.json: every package of the lock, as CycloneDX
	@mkdir -p dist
	@$(BIN)/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --output-reproducible --output-file dist/clawback.cdx.json
	@echo "dist/clawback.cdx.json"

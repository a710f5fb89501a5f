# Two commands set up all they need: make run and make test. Paths are relative, so that the folder may have any name.
PY := .venv/bin/python
READY := .venv/.ready
ENV ?= staging
ARGS ?=
CONFIRM = $(if $(filter production,$(ENV)),--confirm production)
ROOT_USER = $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help run test engine image image-arm64 lab bench notebooks lint schema lock clean
.NOTPARALLEL:

help: ## this list
	@echo "make run              the whole runbook for staging, on an embedded AWS: no account needed"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

run: $(READY) engine ## the notebooks in order, and once more to prove that nothing is left to do; ENV=production, ARGS="--set ..."
	@$(PY) -m slpnb run $(ENV) --again $(CONFIRM) $(ARGS)

test: $(READY) engine lint ## lint, types, tests, every notebook
	$(PY) -m pytest -n 2 --dist worksteal

image: $(READY) ## the WordPress image, built and started once, for this machine or with ARGS="--architecture arm64"
	@$(PY) -m slpnb build $(ENV) $(or $(ARGS),--architecture machine)

image-arm64: $(READY) ## the same for arm64, built and started under emulation (qemu-user-static)
	@$(PY) -m slpnb build $(ENV) --architecture arm64

lab: $(READY) ## JupyterLab on the notebooks; its kernels share one embedded AWS
	$(PY) -m jupyterlab --ServerApp.ip=127.0.0.1 --LabApp.default_url=/lab/tree/notebooks/00_start.ipynb $(ROOT_USER) $(ARGS)

bench: $(READY) ## speed, as ratios measured now; ARGS="sizing scheduler" for some of them
	@$(PY) -m tests.benchmarks.bench $(ARGS)

notebooks: $(READY) ## execute the notebooks in place, so that their outputs are current
	@$(PY) -m slpnb refresh $(ARGS)

engine: ## a container engine, where there is none and it may be installed; SLPNB_ENGINE=none: never
	@sh docker/install

lint: $(READY) ## ruff, mypy, and who may import whom
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo

schema: $(READY) ## params/schema.json, for editors
	@$(PY) -m slpnb schema > params/.schema.json && mv params/.schema.json params/schema.json

lock: $(READY) ## requirements.lock anew from pyproject.toml
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean: ## remove .venv and caches; runs/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks build *.egg-info

$(READY): requirements.lock pyproject.toml .ci/setup
	@sh .ci/setup
	@touch $@

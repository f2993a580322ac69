# The verbs of this repository; `make` alone lists them. Each one first sees to what it needs itself.

.DEFAULT_GOAL := help
BIN := .venv/bin

# Debian leaves runc's folder out of the PATH of users who are not root.
export PATH := $(PATH):/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin

# Verbs given together run one after the other; only the steps of `check` run side by side.
ifeq ($(MAKELEVEL),0)
.NOTPARALLEL:
endif

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo up down
demo: for-demo ## Show Wherry at work, from nothing to a running plugin and back
	$(BIN)/python -m deploy.demo

up: for-run ## Start Wherry on this machine
	$(BIN)/wherry up

down: for-run ## Stop Wherry and its plugins; leave nothing behind
	$(BIN)/wherry down

.PHONY: test test-all chaos chaos-long observe slow systemd
test: for-test ## Run the tests: unit, integration, conformance (ten minutes at most)
	tests/run tests/unit tests/integration tests/conformance shared/runc_ctl/tests

chaos: for-test ## Break nodes and look that every promise holds: kills, a Redis that forgets, random verbs
	tests/run tests/chaos

chaos-long: for-test ## A storm of an hour (WHERRY_CHAOS_S, WHERRY_SEED), a soak (WHERRY_SOAK_S), each crash point of a batch
	WHERRY_CHAOS_S=$${WHERRY_CHAOS_S:-3600} WHERRY_SOAK_S=$${WHERRY_SOAK_S:-1200} WHERRY_STRIDE=$${WHERRY_STRIDE:-1} \
		$(BIN)/pytest -q -s tests/chaos/test_storm.py tests/chaos/test_soak.py tests/chaos/test_crash_points_of_batches.py

test-all: test chaos slow systemd ## Run the tests, break nodes, then the console in a browser, the runc-ctl wheel and the demo from a clean clone

observe: for-observe ## Watch a node as operators do: traces, logs, and every expression of dashboards and alerts
	tests/run --numprocesses=0 tests/observability

pictures: for-pictures ## Take the pictures of the console in docs/pictures anew
	$(BIN)/python -m tests.browser.pictures

systemd: for-slow ## Run the units by a systemd of their own, and see them restart and stop
	tests/run --numprocesses=0 tests/systemd

slow: for-slow observe
	tests/run --numprocesses=0 tests/browser
	shared/runc_ctl/check-wheel
	deploy/demo/check-clean-clone
	deploy/check-wheel
	deploy/check-files

.PHONY: check format lint types imports spelling unit
check: for-check ## Check format, lint, types, imports, spelling and unit tests (a minute at most)
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target \
		types unit lint format imports spelling

types:
	$(BIN)/mypy

unit:
	$(BIN)/pytest tests/unit -q

lint:
	$(BIN)/ruff check --quiet --output-format=concise

format:
	$(BIN)/ruff format --quiet --check --output-format=concise

imports:
	$(BIN)/lint-imports --no-logo

spelling:
	$(BIN)/codespell

.PHONY: fix
fix: for-check ## Put format and lint right where that needs no thought
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: bench
bench: for-bench ## Measure how fast Wherry is, beside dockerd
	$(BIN)/python -m tests.bench

.PHONY: simulate
simulate: for-test ## Upgrade 1,000 plugins on 100 nodes of which stores, bus and controller are real
	$(BIN)/python -m tests.bench.simulation

# dev.txt is locked first and holds the other two to its choice of versions.
LOCK = $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --python-version 3.11 $(LOCK_FLAGS)

.PHONY: lock
lock: for-check ## Lock requirements/*.in anew (LOCK_FLAGS=--upgrade takes the newest releases)
	$(LOCK) requirements/dev.in --output-file requirements/dev.txt
	$(LOCK) requirements/runtime.in --constraint requirements/dev.txt --output-file requirements/runtime.txt
	$(LOCK) requirements/build.in --constraint requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) requirements/deploy.in --output-file requirements/deploy.txt
	$(LOCK) requirements/sbom.in --output-file requirements/sbom.txt

.PHONY: sbom
sbom: for-check ## Write down all that a node is made of: build/sbom.json, in CycloneDX
	$(BIN)/uv venv --quiet --allow-existing build/sbom-venv
	$(BIN)/uv pip install --quiet --python build/sbom-venv --require-hashes -r requirements/sbom.txt
	build/sbom-venv/bin/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file build/sbom.json

.PHONY: clean
clean: ## Remove all that these verbs have made here: .venv, caches, build output
	rm -rf .venv build deploy/plugins/*/build dist *.egg-info .hypothesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: for-run for-demo for-check for-test for-slow for-bench for-observe for-pictures
for-run:
	@deploy/setup/packages runtime
	@deploy/setup/venv runtime

for-demo:
	@deploy/setup/packages runtime plugin registry
	@deploy/setup/venv runtime

for-check:
	@deploy/setup/venv dev

for-test:
	@deploy/setup/packages runtime plugin registry test
	@deploy/setup/venv dev

for-observe:
	@deploy/setup/packages runtime plugin registry test observability
	@deploy/setup/venv dev

for-slow:
	@deploy/setup/packages runtime plugin registry test browser
	@deploy/setup/venv dev

for-pictures:
	@deploy/setup/packages runtime plugin registry browser pictures
	@deploy/setup/venv dev

for-bench:
	@deploy/setup/packages runtime plugin registry bench
	@deploy/setup/venv dev

# Needs python3 (3.11 or newer), pip, make and git; brings everything else into .tools and .venv of this folder.

PY ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN := .venv/bin
SEED ?=
SECONDS ?=
OPTIONS ?=

# A company proxy has its certificate in the system store, where pip looks and uv by itself does not.
# Older releases of uv know the second name only.
export UV_SYSTEM_CERTS = 1
export UV_NATIVE_TLS = 1
export UV_PYTHON_DOWNLOADS = never
export UV_PROJECT_ENVIRONMENT = .venv

# An index or mirror in the environment would be written into the lock and stay there.
PLAIN_UV := env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS $(UV)
LINT := $(UV) run --isolated --frozen --quiet --only-group linters
EXPORT := --frozen --format requirements-txt --no-emit-project --no-header --no-annotate --quiet

.PHONY: help demo test check fmt docs lock lock-check sbom bench peers simulate fuzz deep pip-install clean distclean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.ok ## one document of each family and more, through the real parts, on this machine alone
	@$(RUN)/factus-worker demo

test: .venv/.ok ## unit, contract, property and integration tests (ARGS="-k limiter")
	@$(RUN)/python -m pytest -q -n 4 --dist worksteal -m "not simulation and not deep" $(ARGS)

check: .venv/.ok lock-check ## everything that can be said without running the service
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports --no-cache --no-logo
	@$(RUN)/deptry .
	@$(RUN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	@$(LINT) hadolint Dockerfile
	@$(LINT) kubernetes-validate --quiet --strict $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))

fmt: .venv/.ok ## format, and mend what can be mended
	@$(RUN)/ruff check --fix --quiet . || true
	@$(RUN)/ruff format .

docs: .venv/.ok ## docs/jobs.md, docs/asyncapi.json, docs/schemas and the list in --help, from the registry and the models
	@$(RUN)/python -m worker.cli.contract.write_docs docs

lock: $(filter .tools/bin/uv,$(UV)) ## resolve again after a change of dependencies
	@$(PLAIN_UV) lock --no-config
	@$(PLAIN_UV) lock --no-config --project benchmarks/peers
	@$(PLAIN_UV) export --no-config $(EXPORT) --output-file requirements.lock

sbom: $(filter .tools/bin/uv,$(UV)) ## dist/sbom.cdx.json: what the image holds of packages, by name, version and hash (CycloneDX 1.5)
	@mkdir -p dist
	@$(PLAIN_UV) export --no-config --frozen --no-default-groups --preview-features sbom-export --format cyclonedx1.5 \
		--quiet --output-file dist/sbom.cdx.json

lock-check: .venv/.ok ## locks in step with pyproject.toml and each other, and from the public index only
	@$(RUN)/python .ci/lock_check.py $(UV)

bench: .venv/.ok ## the figures of benchmarks/README.md, measured on this machine (ARGS="evening till": these; OPTIONS=--full)
	@for script in $(if $(ARGS),$(ARGS:%=benchmarks/bench_%.py),benchmarks/bench_*.py); do \
		echo "== $$script"; $(RUN)/python "$$script" $(OPTIONS) || exit 1; done

peers: .venv/.ok ## the same evening with what one would take instead: arq, Celery and others (ARGS="--only DBOS")
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.tools/peers $(UV) sync --project benchmarks/peers --frozen --compile-bytecode --quiet --python $(PY)
	@$(RUN)/python benchmarks/compare_peers.py $(ARGS)

simulate: .venv/.ok ## the service under seeded faults, kills and restarts (SEED=n JOBS=n; SEEDS=n: quick, in process)
	@$(RUN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--quick --seeds $(SEEDS),$(if $(JOBS),--jobs $(JOBS))) $(ARGS)

fuzz: .venv/.ok ## hostile producers and a hostile Factus against a real worker (SEED=n SECONDS=n; ARGS=--pure: no server)
	@$(RUN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

deep: .venv/.ok ## slow searches, promtool, a real Prometheus, and what needs node, npm, go, php or chromium
	@$(RUN)/python .ci/promtool.py
	@$(RUN)/python -m pytest -q -m deep --timeout 3600 $(ARGS)
	@HYPOTHESIS_PROFILE=default $(RUN)/python -m pytest -q -n 2 tests/property tests/sandbox/test_any_change.py $(ARGS)

clean: ## remove caches and the demo's data
	rm -rf .factus .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov dist mutants
	find . -path ./.venv -prune -o -path ./.tools -prune -o -name __pycache__ -type d -print | xargs rm -rf

distclean: clean ## also the tools and the environment
	rm -rf .venv .tools

# -- bootstrap ---------------------------------------------------------------------------------------------------------

# --target, because Debian's pip refuses to touch the system and has no venv module.
.tools/bin/uv:
	@$(PY) -m pip install -q --disable-pip-version-check --root-user-action=ignore --target .tools 'uv>=0.11,<1' \
		|| echo "uv could not be installed: going on with pip alone" >&2

.venv/.ok: pyproject.toml uv.lock | $(filter .tools/bin/uv,$(UV))
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PY=python3.13" >&2; exit 1; }
	@$(UV) sync --frozen --quiet --python $(PY) || $(MAKE) --no-print-directory pip-install
	@touch $@

pip-install: # the same packages by the same hashes, where uv does not run or only pip knows the way to an index
	@$(PY) -m venv --without-pip --clear .venv
	@$(PY) -m pip --python .venv/bin/python install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip --python .venv/bin/python install -q --disable-pip-version-check --no-deps -e .

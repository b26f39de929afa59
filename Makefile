# make reproduce   everything from a bare clone: install, then nrdfer reproduce
# make test        install if needed, run all tests
# make test-fast   tests/unit without the tests marked slow; minutes
# make check       lint and the fast tests: what to run before a commit
# make format      ruff's fixes and formatting, in place
# make dev         Dagster UI and MLflow UI on localhost: nrdfer dev
# make install / make lint / make bench
# make chaos-train kills trainings with SIGKILL and SIGTERM at random moments and compares their bytes; minutes
# make chaos-job   kills the job, steps, workers, ffmpeg or MLflow's server at random moments, runs the same command again
# make chaos-power simulates power cuts: drops what was not synced at random moments, runs the same command again
# make chaos-disk  fills the disk at every asset, frees space, runs the same command again; needs root
# make chaos-shells  runs the same command in two and in four shells at once; each of these four takes about half an hour
# make chaos-tracking  starts five trainings at once on an empty MLflow database, twenty times; minutes
# make chaos-postgres  five folds, twenty starts and sixty partitions at once on one PostgreSQL server that is restarted
# make cluster     PostgreSQL, S3, MLflow, Dagster and two Ray workers on localhost; RUN=1 runs the job on them and ends
# make chaos-repair  repairs beside living runs of other containers and hosts, and after they were killed; needs root
# make chaos-cluster  kills nodes, steps and the orchestrating process on clusters of Slurm and Ray; needs root; an hour
# make lowest    the lowest releases that pyproject.toml allows, in a fresh environment: imports, commands, a training
# make pythons   the same with the locked releases, for each supported Python that is there; minutes and gigabytes
# make fuzz        damaged inputs for everything that reads a file; prints their outcomes (FUZZ_INPUTS=20000 per part)
# make audit       known vulnerabilities of the locked packages; says so where no database can be queried
# make licences    the table of THIRD_PARTY_NOTICES.md
# make gpu-check   what this machine's GPU does, in at most eight minutes, as build/gpu-check.json
# make gpu-archive  the same for a machine without a package index, as build/gpu-check.tar.gz
# make figures     pictures and tables of README and docs/, from the networks, the last run of the sample and its benchmark
# make docs        the documentation as a web site in build/site, with an API reference; ends with an error at any warning
# make dist        sdist and wheel in build/dist, checked
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
# images often set it; then every start of Python, of hundreds in the tests, would compile the project's modules anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install reproduce test test-fast lint format check dev bench fuzz audit licences figures docs dist clean
.PHONY: lowest pythons gpu-check gpu-archive
.PHONY: chaos-train chaos-job chaos-power chaos-disk chaos-shells chaos-tracking chaos-postgres cluster chaos-repair chaos-cluster
.DEFAULT_GOAL := install

install: $(STAMP)

$(STAMP): pyproject.toml requirements.lock scripts/activate_hook.sh pipelines/project/environment.sh
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make install PYTHON=python3.12"; exit 1; }
	@echo "installing into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 -x /tests/ $(VENV)/lib || true  # on all cores; some bring files of other Pythons
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@scripts/activate_hook.sh $(VENV)
	@touch $(STAMP)

reproduce: install
	@$(BIN)/nrdfer reproduce

# tests wait for servers and processes too, so three at once on two cores; more threads a process would wait for each
# other; the longest files are collected first
test: install
	@. $(BIN)/activate && OMP_NUM_THREADS=1 python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-fast: install
	@. $(BIN)/activate && OMP_NUM_THREADS=1 python -m pytest tests/unit -m "not slow" -n 3 --dist loadfile --no-loadscope-reorder

lint: install
	@. $(BIN)/activate && ruff check . && ruff format --check . && mypy && lint-imports

format: install
	@. $(BIN)/activate && ruff check --fix . && ruff format .

check: lint test-fast

dev: install
	@$(BIN)/nrdfer dev

bench: install
	@. $(BIN)/activate && for file in $(filter-out bench/install.py,$(wildcard bench/[a-z]*.py)); do name=$${file#bench/}; python -m bench.$${name%.py}; done

chaos-train: install
	@. $(BIN)/activate && python -m scripts.chaos.train

chaos-job: install
	@. $(BIN)/activate && python -m scripts.chaos.job --at-once 2

chaos-power: install
	@. $(BIN)/activate && python -m scripts.chaos.power

chaos-disk: install
	@. $(BIN)/activate && python -m scripts.chaos.disk

chaos-shells: install
	@. $(BIN)/activate && python -m scripts.chaos.shells

chaos-tracking: install
	@. $(BIN)/activate && python -m scripts.chaos.tracking

chaos-postgres: install
	@. $(BIN)/activate && python -m scripts.chaos.postgres

cluster: install
	@. $(BIN)/activate && python -m scripts.cluster $(if $(RUN),--run)

chaos-repair: install
	@. $(BIN)/activate && python -m scripts.chaos.repair

chaos-cluster: install
	@. $(BIN)/activate && python -m scripts.chaos.cluster

# LOWEST='--torch locked' where the oldest PyTorch cannot be downloaded
lowest: install
	@. $(BIN)/activate && python -m scripts.lowest $(LOWEST)

# PYTHONS='3.12 --newest'
pythons: install
	@. $(BIN)/activate && python -m scripts.smoke_pythons $(PYTHONS)

# GPU_CHECK='--json FILE --parts machine,checks'
gpu-check:
	@if test -x $(BIN)/python; then $(BIN)/python -m scripts.gpu_check $(GPU_CHECK); else $(PYTHON) -m scripts.gpu_check $(GPU_CHECK); fi

gpu-archive: install
	@. $(BIN)/activate && python -m scripts.gpu_archive

FUZZ_INPUTS ?= 20000
fuzz: install
	@. $(BIN)/activate && python -m scripts.fuzz --inputs $(FUZZ_INPUTS)

# AUDIT='--database all.zip' or AUDIT='--osv-url URL' where OSV's service cannot be reached
audit: install
	@. $(BIN)/activate && python -m scripts.audit $(AUDIT)

licences: install
	@. $(BIN)/activate && python -m scripts.licences

figures: install
	@. $(BIN)/activate && python -m scripts.docs.models && python -m scripts.docs.training && python -m scripts.docs.readme \
	  && python -m scripts.docs.prediction && python -m scripts.docs.pages \
	  && python -m scripts.docs.architecture && python -m scripts.docs.model_zoo && python -m scripts.docs.own_data \
	  && python -m scripts.docs.noise

docs: install
	@. $(BIN)/activate && python -m scripts.docs.site

dist: install
	@. $(BIN)/activate && python -m scripts.dist

# videos to predict and weights added by hand are in the project's folder, but belong to the user
YOURS := inbox weights
clean:
	rm -rf .dagster .tmp_dagster_home_*
	@test ! -d .nrdfer || find -H .nrdfer -mindepth 1 -maxdepth 1 $(YOURS:%=! -name %) -exec rm -rf {} +
	@rmdir $(YOURS:%=.nrdfer/%) .nrdfer 2>/dev/null || true
	@for kept in $(YOURS:%=.nrdfer/%); do test ! -e $$kept || echo "kept $$kept: what you put there is yours"; done

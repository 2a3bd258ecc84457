# Everything a newcomer needs; `make` says what there is. Only python3 (3.11 to 3.13) and a network to PyPI are taken for granted.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := .locks
ARGS   ?=

# The locks name every package of a set with the hashes of all its files, so nothing is resolved and nothing unknown is installed.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-deps
# pip shows what it downloads the first time; afterwards it would list all that is there already.
QUIET    = $(if $(wildcard $(VENV)/*.stamp),--quiet)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo replay-demo test check chaos soak sim bench-shelf bench-engine bench-cuda bench-pipeline kafka lock clean setup fuzz sbom audit

help: ## Say what there is.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp ## Set up and run the whole thing for a minute; leaves a page to look at (ARGS="--seconds 20 --out elsewhere").
	@$(BIN)/shelftalk demo --out out/demo $(ARGS)

replay-demo: $(VENV)/dev.stamp ## Record the demo's crowd, play it at a worker and leave a page with what it took (ARGS="--speed 2 --phrasebook-only").
	@test -f out/replay-demo/crowd.parquet || \
	  $(BIN)/shelftalk replay import --format demo --for 60s --out out/replay-demo/crowd.parquet
	@$(BIN)/shelftalk replay run out/replay-demo/crowd.parquet --slo "lost=0" $(ARGS); code=$$?; \
	  test $$code -ne 3 || echo "the generator of load shared a busy machine: no verdict on latency, all else holds"; \
	  test $$code -eq 0 -o $$code -eq 3

test: $(VENV)/dev.stamp ## Set up and run the tests (ARGS="-k guard"); a real Kafka is used where Java 17 and Maven are.
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/dev.stamp ## Style and types: ruff and mypy.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

setup: $(VENV)/dev.stamp ## Only set up, for an editor or a shell of your own.

chaos: $(VENV)/dev.stamp ## Break everything on a real Kafka for four minutes and judge by the topics (ARGS="--seed 7 --seconds 60").
	@$(BIN)/python -m tests.chaos $(ARGS)

soak: $(VENV)/dev.stamp ## Watch a worker for five minutes: is anything growing? Draws soak.png (ARGS="--minutes 60").
	@$(BIN)/python -m tests.chaos.soak $(ARGS)

sim: $(VENV)/dev.stamp ## Play simulated histories (SEEDS=1000); a failing one says how to play it again (ARGS="--seed 7").
	@$(BIN)/python -m shelftalk.sim $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

bench-shelf: $(VENV)/dev.stamp ## What a shelf costs as cards, products and profiles grow, some 4 minutes (ARGS="--big": 1,000,000 products).
	@$(BIN)/python -m shelftalk.bench.shelf $(ARGS)

bench-engine: $(VENV)/dev.stamp .venv-bench/stamp ## The engine beside onnxruntime-genai, llama.cpp and transformers, some 8 minutes (ARGS="--levels 16").
	@$(BIN)/python -m shelftalk.bench.engine $(ARGS)

bench-cuda: $(VENV)/dev.stamp ## The engine on a GPU: placement, texts as on the CPU, CUDA graphs (ARGS="--device cpu" tries it out).
	@$(BIN)/python -m shelftalk.bench.engine.cuda $(ARGS)

bench-pipeline: $(VENV)/dev.stamp .venv-bench-pipeline/stamp ## The worker beside quixstreams, a bare loop and the naive form, some 5 minutes (ARGS="--rounds 1").
	@$(BIN)/python -m shelftalk.bench.pipeline $(ARGS)

kafka: ## Run an Apache Kafka on localhost:9092 in the foreground (Java 17, Maven; no Docker).
	@$(PYTHON) tests/kafka/broker.py $(ARGS)

fuzz: $(VENV)/dev.stamp ## Fuzz the decoders with Atheris (SECONDS=60 for each).
	@mkdir -p out
	@for target in behaviour inventory message log_line words; do echo "==> $$target"; \
	  $(BIN)/python -m tests.fuzz $$target -max_total_time=$(or $(SECONDS),60) -verbosity=0 -artifact_prefix=out/ || exit 1; done

sbom: ## Write out/sbom.json: every locked package with its hashes, as CycloneDX.
	@mkdir -p out && $(PYTHON) .ci/sbom.py $(LOCKS)/run.txt > out/sbom.json && echo out/sbom.json

audit: ## Look the locked packages up among known vulnerabilities (pip-audit; needs the network).
	@test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && \
	  .venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; }
	@$(PYTHON) .ci/audit.py .venv-audit/bin/pip-audit $(LOCKS)/run.txt

# --- the environment --------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
	  "shelftalk needs Python 3.11, 3.12 or 3.13; this is %s. Try: make PYTHON=python3.12 ..." % sys.version.split()[0])'
	@echo "==> Making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "python3 has no venv (Debian: apt-get install python3-venv)" >&2; exit 1; }

$(VENV)/run.stamp: $(LOCKS)/run.txt pyproject.toml | $(BIN)/python
	@echo "==> Installing what shelftalk runs on, some 700 MB unpacked; a minute or so, once"
	@$(INSTALL) $(QUIET) --require-hashes -r $(LOCKS)/run.txt
	@$(INSTALL) --quiet --no-build-isolation --editable .
	@touch $@

# The dev lock holds the whole run lock at the same versions.
$(VENV)/dev.stamp: $(LOCKS)/dev.txt pyproject.toml | $(BIN)/python
	@echo "==> Installing what shelftalk and its tests run on, some 1.2 GB unpacked; a minute or so, once"
	@$(INSTALL) $(QUIET) --require-hashes -r $(LOCKS)/dev.txt
	@$(INSTALL) --quiet --no-build-isolation --editable .
	@touch $@ $(VENV)/run.stamp

# llama.cpp is compiled, which takes a C++ compiler and ten minutes; where that fails the benchmark names it as not run.
.venv-bench/stamp: $(LOCKS)/bench-engine.txt $(LOCKS)/bench-llama-cpp.txt
	@echo "==> Installing the engine's peers into .venv-bench, several GB; ten minutes or more, once"
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r $(LOCKS)/bench-engine.txt
	@.venv-bench/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r $(LOCKS)/bench-llama-cpp.txt \
	  || echo "==> llama.cpp could not be installed; the benchmark goes on without it" >&2
	@touch $@

# quixstreams wants an older confluent-kafka than ours.
.venv-bench-pipeline/stamp: $(LOCKS)/bench-pipeline.txt
	@echo "==> Installing the worker's peers into .venv-bench-pipeline"
	@$(PYTHON) -m venv .venv-bench-pipeline
	@.venv-bench-pipeline/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r $<
	@touch $@

# --- the locks --------------------------------------------------------------------------------------------------------

# Versions stay where they are unless ARGS=--upgrade. Every set agrees with run.txt but those of peers, which live in
# environments of their own. No address of any registry is written.
COMPILE := .venv-lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command "make lock" pyproject.toml $(LOCKS)/build.in

lock: .venv-lock/bin/uv ## Write the lock files again after pyproject.toml changed (ARGS=--upgrade for newer versions).
	$(COMPILE) $(ARGS) --output-file $(LOCKS)/run.txt
	$(COMPILE) $(ARGS) --constraint $(LOCKS)/run.txt --extra dev --output-file $(LOCKS)/dev.txt
	$(COMPILE) $(ARGS) --constraint $(LOCKS)/run.txt --extra cuda --output-file $(LOCKS)/cuda.txt
	$(COMPILE) $(ARGS) --constraint $(LOCKS)/run.txt --extra train --output-file $(LOCKS)/train.txt
	$(foreach set,engine llama-cpp pipeline,$(filter-out pyproject.toml,$(COMPILE)) $(ARGS) $(LOCKS)/bench-$(set).in \
	  --output-file $(LOCKS)/bench-$(set).txt &&) true
	@! grep -nE '://|file:| /' $(LOCKS)/*.txt || { echo "an address or a path got into a lock" >&2; exit 1; }

.venv-lock/bin/uv:
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

clean: ## Remove the environments and caches (models, demo output and state stay).
	rm -rf .venv .venv-bench .venv-bench-pipeline .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

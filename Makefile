# Everything that a newcomer and the CI run. Nothing is written outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# torch's CPU build. Where the package index at hand offers only the CUDA build (several GB), name PyTorch's CPU index:
#   make demo TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
export GUARDRAIL_HOME := $(CURDIR)/.guardrail

.PHONY: demo test check nightly format clean

$(BIN)/guardrail: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	@echo "installing; NudeNet (to be treated as AGPL-3.0) and insightface (code MIT, no models) are among it"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $(BIN)/guardrail

.guardrail/weights/.pulled: $(BIN)/guardrail
	$(BIN)/guardrail models pull embedded
	@touch $@

demo: .guardrail/weights/.pulled
	$(BIN)/guardrail demo --out demo

test: .guardrail/weights/.pulled
	GUARDRAIL_REQUIRE_MODELS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal

# Long property, fault, fuzz and calibration runs, on all cores: up to an hour.
nightly: .guardrail/weights/.pulled
	GUARDRAIL_NIGHTLY=1 GUARDRAIL_REQUIRE_MODELS=1 $(BIN)/python -m pytest -q --durations=15 -n auto --dist worksteal

check: $(BIN)/guardrail
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(BIN)/guardrail
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .guardrail demo build dist .mypy_cache .ruff_cache .pytest_cache

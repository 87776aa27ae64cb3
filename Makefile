# Every target sets up what it needs in .venv first: Python 3.11 or later and a package registry
# are enough.  PYTHON=/path/to/python3.11 names the interpreter, ARGS=... is handed on.

BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup test lint types demo bench bench-quick conformance clean

help:
	@echo "make demo    a folder of manifests, served by real Envoys, with every step checked"
	@echo "make test    the whole test suite       (ARGS=tests/unit for a part of it)"
	@echo "make lint    ruff and import-linter"
	@echo "make types   mypy"
	@echo "make conformance   the Gateway API's suite, replayed; writes docs/conformance.md"
	@echo "make bench   what things cost at 100 to 50,000 services; writes docs/performance.md"
	@echo "             (20 minutes; ARGS=--missing goes on where it was interrupted)"
	@echo "make bench-quick   the same in two minutes: small sizes, printed"
	@echo "make setup   only what all of these need, in .venv"
	@echo "make clean   remove .venv and whatever was generated"

setup: $(READY)

$(READY): pyproject.toml uv.lock build_proto.py build_stubs.py src/serai/proto/envoy.py
	@PYTHON="$(PYTHON)" .ci/set-up
	@touch $@

test: $(READY)
	@echo "test: running the test suite in two processes"
	@$(BIN)/pytest -q -n 2 --dist loadfile $(ARGS)

lint: $(READY)
	@echo "lint: ruff, then the contracts between packages"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

types: $(READY)
	@echo "types: mypy over src and tests"
	@$(BIN)/mypy

demo: $(READY)
	@echo "demo: serai demo $(ARGS)"
	@$(BIN)/serai demo $(ARGS)

conformance: $(READY)
	@echo "conformance: replaying the Gateway API's suite in two processes"
	@$(BIN)/pytest -q -n 2 tests/conformance --conformance-report docs/conformance.md $(ARGS)

bench: $(READY)
	@echo "bench: everything, on real Envoy; writes docs/performance.md"
	@.ci/with-plots
	@$(BIN)/python -m bench $(ARGS)

bench-quick: $(READY)
	@echo "bench-quick: small sizes and few runs, into a temporary folder"
	@$(BIN)/python -m bench --runs quick $(ARGS)

clean:
	@echo "clean: removing .venv and whatever was generated"
	@rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	@rm -f src/serai/proto/envoy.binpb src/serai/proto/envoy.pyi

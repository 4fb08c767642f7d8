# What a person does with this repository; `make help` lists it. The first `make demo` or `make test` sets up all that
# it needs in .venv and target, a later one rebuilds only what has changed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
DONE := .venv/done
NODE_MODULES := viewer/node_modules/.package-lock.json
VIEWER := $(shell find viewer -name node_modules -prune -o -type f -print)
RUST := Cargo.toml Cargo.lock rust-toolchain.toml $(shell find crates -name '*.rs' -o -name Cargo.toml)
PATHS := python tests examples benchmarks scripts

.PHONY: help demo serve test upstream lint format build wheel bench fuzz coverage clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(DONE)/native $(DONE)/viewer $(DONE)/demo ## build, keep the telemetry of a small shop, and show what the store tells about it
	@$(BIN)/python -m examples.demo

serve: $(DONE)/native $(DONE)/viewer ## show the demo's store on http://127.0.0.1:4319, and keep what else is sent
	@$(BIN)/millrace serve --data target/demo/store

test: $(DONE)/native $(DONE)/viewer $(DONE)/test ## build and run every test
	cargo test --workspace --exclude millrace-python
	$(BIN)/pytest --numprocesses auto --dist worksteal

upstream: $(DONE)/native $(DONE)/upstream ## run upstream's own tests over our SDK, and write docs/upstream-tests.md
	$(BIN)/python scripts/upstream_tests.py

lint: $(DONE)/native $(DONE)/lint $(NODE_MODULES) ## format check, clippy, ruff, mypy, svelte-check, eslint, stubs, licences, generated code
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check $(PATHS)
	$(BIN)/ruff check $(PATHS)
	$(BIN)/mypy
	$(BIN)/stubtest millrace._native
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --log-level warn check bans licenses sources
	$(BIN)/python scripts/generate_schema.py --check
	$(BIN)/python scripts/document_variables.py --check
	$(BIN)/python scripts/document_api.py --check
	npm --prefix viewer run --silent check

format: $(DONE)/lint $(NODE_MODULES) ## format Rust, Python and the viewer, and repair what the linter can
	cargo fmt --all
	$(BIN)/ruff check --fix --exit-zero --quiet $(PATHS)
	$(BIN)/ruff format $(PATHS)
	npm --prefix viewer run --silent format

build: $(DONE)/native $(DONE)/viewer ## build the extension and the page, and install the package into .venv, editable

wheel: $(DONE)/build $(DONE)/viewer ## build the wheel into dist
	@test -f python/millrace/api/static/index.html # a wheel without the page is none to give away
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin build --release --interpreter $(BIN)/python --out dist

bench: $(DONE)/native $(DONE)/viewer $(DONE)/bench ## measure, beside the peers, and render the tables
	$(BIN)/python -m benchmarks

fuzz: ## fuzz each target for a minute
	fuzz/run

coverage: $(DONE)/native $(DONE)/test ## which lines of Python the tests reach
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

clean: ## remove everything that was built
	rm -rf viewer/node_modules python/millrace/api/static target .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
	find python -name '*.so' -delete

$(DONE)/venv: scripts/check_tools.sh
	@scripts/check_tools.sh $(PYTHON)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	@mkdir -p $(DONE) && touch $@

$(DONE)/build $(DONE)/demo $(DONE)/test $(DONE)/upstream $(DONE)/lint $(DONE)/bench: $(DONE)/%: pyproject.toml $(DONE)/venv
	$(BIN)/python -m pip install --quiet --group $*
	@touch $@

$(DONE)/native: $(RUST) $(DONE)/build
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --release --extras store
	@touch $@

# Marks itself as done when the page was built: without Node.js it says what is missing, and everything else goes on.
$(DONE)/viewer: $(VIEWER) scripts/build_viewer.sh | $(DONE)/venv
	@scripts/build_viewer.sh $@

$(NODE_MODULES): viewer/package.json viewer/package-lock.json
	npm --prefix viewer ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

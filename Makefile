# make demo: see it work. make test: what CI runs. make help: the rest.

# A Python >= 3.11 to make .venv with.
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
# Each step is silent unless it fails; make V=1 shows everything.
QUIET := @tools/quiet.sh

# In CI a skipped test is a failure: tools/no_skips.py.
PYTEST := env PYTHONPATH=tools $(BIN)/python -m pytest -p no_skips -q -rs
# The files of tests in two processes: most tests wait. One that dies ends the run, which could wait for ever otherwise.
IN_PARALLEL := -n 2 --dist loadfile --max-worker-restart 0

# Published packages, in an environment of their own.
PACKAGES := .venv-packages

# Where maturin puts it; the package is used where it is.
MODULE := python/openline/_openline.abi3.so

# Where older releases of websockets go.
RELEASES := target/websockets/15.0.1 target/websockets/16.0

# A client of others that the tests of the server use.
WEBSOCKET_CLIENT := target/websocket-client

# Crates that `cargo test` runs. The extension module has its tests in tests/, run by pytest.
CRATES := -p openline-proto -p openline -p openline-cli
RUST_SOURCES := Cargo.toml Cargo.lock pyproject.toml $(wildcard crates/*/Cargo.toml) \
	$(shell find crates -name '*.rs' -path '*/src/*')

# PyO3 builds for the interpreter of .venv, and maturin installs there.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport CONDA_PREFIX PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Steps print as they go, and share the build directory.
.NOTPARALLEL:
.PHONY: help demo test test-rust test-model simulate simulate-short fuzz-smoke fuzz test-python packages packages-short test-many \
	test-differential test-examples conformance conformance-short lint types check-tree robustness bench \
	bench-full bench-memory bench-load bench-command bench-parts bench-instructions bench-conformance \
	docs test-docs wheel crates deny soak soak-short build clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

demo: build ## build, then run the programs of examples/ against servers of our own
	@$(BIN)/python tools/demo.py

# In this order: what is quick to fail first.
test: check-tree lint test-rust test-model simulate-short fuzz-smoke types test-python soak-short packages-short conformance-short test-examples test-docs ## everything that CI checks
	@echo "all tests passed"

check-tree: $(VENV)/.tools ## no async runtime; unsafe only where it is allowed
	$(QUIET) "dependencies and unsafe" $(BIN)/python tools/check_tree.py

lint: $(VENV)/.tools ## rustfmt, clippy, and links in the documentation
	$(QUIET) "rustfmt" cargo fmt --all --check
	$(QUIET) "rustfmt of fuzz/" cargo fmt --manifest-path fuzz/Cargo.toml --check
	$(QUIET) "rustfmt of bench/native/" cargo fmt --manifest-path bench/native/Cargo.toml --check
	$(QUIET) "clippy" cargo clippy --workspace --locked --all-targets -- -D warnings
	$(QUIET) "clippy, with the model" cargo clippy -p openline --features model --locked --all-targets -- -D warnings
	$(QUIET) "clippy of fuzz/" cargo clippy --manifest-path fuzz/Cargo.toml --locked --all-targets -- -D warnings
	$(QUIET) "clippy of bench/native/" cargo clippy --manifest-path bench/native/Cargo.toml --locked --lib --bins \
		--features own --target-dir target/bench -- -D warnings
	$(QUIET) "rustdoc" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps $(CRATES)

test-rust: ## unit tests, integration tests and doctests of the crates
	$(QUIET) "Rust tests" cargo test --locked $(CRATES) --all-targets
	$(QUIET) "Rust doctests" cargo test --locked $(CRATES) --doc

test-model: ## the hand-overs between threads, under a model checker
	$(QUIET) "model checks" cargo test --profile fuzz --locked -p openline --features model --lib model::scenarios

# A world that failed, once more and told step by step: make simulate SEED=… STEPS=1 SHOW=1.
SIMULATION := cargo test --profile fuzz --locked -p openline --features model --lib model::simulate
SEED ?= 1
STEPS ?= 10000000
simulate: ## the engine in simulated worlds: STEPS (10 million), or SECONDS, of those from SEED (1) on
	@env SEED=$(SEED) STEPS=$(STEPS) SECONDS=$(SECONDS) RUST_BACKTRACE=0 $(SIMULATION)::worlds -- --nocapture

simulate-short: ## half a minute of that, and the bugs that it must find
	$(QUIET) "half a minute of simulated worlds" env SECONDS=30 $(SIMULATION)

# On stable Rust: to build for libFuzzer takes longer than that.
fuzz-smoke: ## half a minute of the fuzz targets, all together
	@$(PYTHON) tools/fuzz.py --stable --seconds-in-all 30

# For one target: make fuzz TARGET=inbound.
MINUTES ?= 10
fuzz: ## MINUTES (10) of each fuzz target: fuzz/README.md
	@tools/install_fuzzer.sh
	@$(PYTHON) tools/fuzz.py --minutes-each $(MINUTES) $(addprefix --target ,$(TARGET))

types: build tests/node/node_modules ## mypy --strict, pyright, and the stubs against the module
	$(QUIET) "mypy" $(BIN)/mypy --strict python/openline examples tools bench conformance soak tests
	$(QUIET) "stubtest" $(BIN)/python -m mypy.stubtest openline._openline
	$(QUIET) "docstrings of the stub" $(BIN)/python tools/stub_docs.py --check
	@tools/pyright.sh

test-python: build tests/node/node_modules $(RELEASES) $(WEBSOCKET_CLIENT) ## the tests of the Python package
	$(QUIET) "the Rust client of these tests" cargo test --locked -p openline --test interop --no-run
	$(QUIET) "the command" cargo test --locked $(CRATES) --test command --no-run
	$(QUIET) "the server of the benchmarks" cargo build --release --locked --manifest-path bench/native/Cargo.toml \
		--target-dir target/bench
	$(QUIET) "the core as a program" cargo test --locked -p openline-proto --test differential --no-run
	$(QUIET) "Python tests" $(PYTEST) $(IN_PARALLEL) tests conformance soak \
		--ignore=tests/test_examples.py --ignore=tests/test_readme.py --ignore=tests/packages --ignore=tests/site

packages: build $(PACKAGES)/.all ## published packages, unmodified, with openline behind them: docs/packages.md
	$(QUIET) "published packages" $(PYTEST) tests/packages

SHORT := assemblyai or cartesia or deepgram or soniox or documents
packages-short: build $(PACKAGES)/.short ## the same with those that install in seconds
	$(QUIET) "published packages, short" $(PYTEST) tests/packages -k "$(SHORT)"

test-many: build ## thousands of connections, failures and attackers, 1 GiB through TLS, 10 million messages
	$(QUIET) "many connections" env OPENLINE_FULL=1 $(PYTEST) -o faulthandler_timeout=600 tests/test_many.py \
		tests/robustness/test_reconnects.py tests/robustness/test_memory.py tests/test_server_attacks.py

conformance-short: build ## the Autobahn cases but those of compression: 301, with each client and server
	$(QUIET) "the Rust endpoint" cargo build --locked -p openline --example autobahn
	$(QUIET) "301 Autobahn cases" $(BIN)/python conformance/run.py --short --jobs 3

# One endpoint at a time: the suite gives a case of compression 20 s, and compresses too.
conformance: build ## all 517 Autobahn cases, with each client and server
	$(QUIET) "the Rust endpoint" cargo build --locked --release -p openline --example autobahn
	@$(BIN)/python conformance/run.py --release

soak: build ## MINUTES (10) of hundreds of connections, with faults, every message checked: soak/README.md
	$(QUIET) "matplotlib" $(BIN)/python -m pip install --quiet --no-deps -r requirements-soak.txt
	@$(BIN)/python soak/soak.py --minutes $(MINUTES) --report

soak-short: build ## the same for half a minute
	$(QUIET) "a short soak" $(BIN)/python soak/soak.py --minutes 0.4 --connections 80

test-differential: build ## the core against other implementations, hundreds of thousands of cases
	$(QUIET) "differential tests" env OPENLINE_DIFFERENTIAL_CASES=200000 $(PYTEST) tests/differential

test-examples: build ## the programs of examples/, of the Rust crate's examples/, and of the README
	$(QUIET) "Rust examples" cargo build --locked -p openline --examples
	$(QUIET) "examples and README" $(PYTEST) tests/test_examples.py tests/test_readme.py

docs: build $(VENV)/.docs ## the site of the documentation, into target/site
	$(QUIET) "the site" $(BIN)/python tools/site/build.py

test-docs: docs ## its links, names and examples, and how it looks to a browser
	$(QUIET) "the site's pages" $(PYTEST) tests/site

wheel: $(VENV)/.tools ## the wheels and source packages for Python, into target/packages; tries each as users get it
	$(QUIET) "zig" $(BIN)/python -m pip install --quiet --no-deps -r requirements-wheel.txt
	@$(BIN)/python tools/packages.py

crates: ## what is published for Rust, into target/package; builds each as it is in there
	$(QUIET) "crates" cargo package --locked $(CRATES)

deny: ## licences, sources and bans of dependencies: deny.toml
	$(QUIET) "cargo-deny" tools/install_cargo_tool.sh cargo-deny 0.20.2
	$(QUIET) "licences, sources and bans" target/tools/bin/cargo-deny --locked check bans licenses sources

robustness: build ## the table of docs/robustness.md: openline beside other clients, in the worst situations
	$(QUIET) "websocket-client" $(BIN)/python -m pip install --quiet --no-deps -r requirements-robustness.txt
	@cd tests && ../$(BIN)/python -m robustness.page

bench: build ## the main figures beside those of other clients, in some minutes: bench/README.md
	@bench/install_clients.sh
	@$(BIN)/python bench/benchsuite.py --short
	@$(BIN)/python bench/imports.py

bench-full: build ## all workloads with all clients, in half an hour, and with them the tables and pictures of the docs
	$(QUIET) "matplotlib" $(BIN)/python -m pip install --quiet --no-deps -r requirements-soak.txt
	@bench/install_clients.sh
	@$(BIN)/python bench/benchsuite.py --save
	@$(BIN)/python bench/figures.py bench/runs/latest.json --docs

bench-memory: build ## what an idle connection takes of memory, by what it uses
	@$(BIN)/python bench/memory.py

bench-load: build ## the servers beside others: many connections at once, broadcast, 10,000 idle ones
	@bench/install_clients.sh
	@$(BIN)/python bench/load.py

bench-command: $(VENV)/.tools ## whether openline bench is fast enough, and its percentiles are right
	@$(BIN)/python bench/command_bench.py

bench-parts: ## masking, parsing, encoding, UTF-8, compression, each by itself
	@cd bench/native && cargo bench --quiet --locked --features clients --target-dir ../../target/bench

bench-instructions: $(VENV)/.tools ## instructions of one send and one recv, by valgrind
	@$(BIN)/python bench/instructions.py

bench-conformance: build ## what the Autobahn cases of load and of compression cost
	$(QUIET) "the Rust endpoint" cargo build --locked --release -p openline --example autobahn
	$(QUIET) "the bare client" rustc --edition=2024 -O -o $${CARGO_TARGET_DIR:-target}/release/bare conformance/bare.rs
	@$(BIN)/python conformance/compare.py

build: $(MODULE) ## the Python package, into .venv

clean: ## remove what make has made, Rust's target/ included
	rm -rf $(VENV) $(PACKAGES) target fuzz/target fuzz/work bench/native/target conformance/reports soak/reports \
		tests/node/node_modules python/openline/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.tools: requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) here: install Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) tools/check_machine.py
	$(QUIET) "making .venv" $(PYTHON) -m venv --clear $(VENV)
	$(QUIET) "tools for development" $(BIN)/python -m pip install --quiet --no-deps -r requirements-dev.txt
	@touch $@

$(VENV)/.docs: $(VENV)/.tools requirements-docs.txt
	$(QUIET) "Sphinx" $(BIN)/python -m pip install --quiet --no-deps -r requirements-docs.txt
	@touch $@

# websockets is apart from what uses it, so that it can be left out.
$(PACKAGES)/.short: $(VENV)/.tools requirements-packages-short.txt
	$(QUIET) "making $(PACKAGES)" $(BIN)/python -m venv --clear --without-pip $(PACKAGES)
	$(QUIET) "websockets, for packages" $(BIN)/python -m pip install --quiet --no-deps \
		--target $(PACKAGES)/websockets --constraint requirements-dev.txt websockets
	$(QUIET) "published packages" $(BIN)/python -m pip --python $(PACKAGES) install --quiet --no-deps \
		--requirement requirements-packages-short.txt
	@touch $@

$(PACKAGES)/.all: $(PACKAGES)/.short requirements-packages.txt
	$(QUIET) "more published packages" $(BIN)/python -m pip --python $(PACKAGES) install --quiet --no-deps \
		--requirement requirements-packages.txt
	@touch $@

$(MODULE): $(VENV)/.tools $(RUST_SOURCES)
	$(QUIET) "building the Python package" $(BIN)/maturin develop --release --locked
	@touch $@

# Releases of websockets beside that of .venv, which drop-in mode supports as well.
$(RELEASES): $(VENV)/.tools
	$(QUIET) "websockets $(@F)" $(BIN)/python -m pip install --quiet --no-deps --target $@ websockets==$(@F)
	@touch $@

$(WEBSOCKET_CLIENT): $(VENV)/.tools requirements-robustness.txt
	$(QUIET) "websocket-client" $(BIN)/python -m pip install --quiet --no-deps --upgrade --target $@ \
		-r requirements-robustness.txt
	@touch $@

# A peer for the tests, and pyright, where there is Node. Without it they are skipped; in CI that is a failure.
tests/node/node_modules: tests/node/package.json
	@if command -v npm >/dev/null; then \
		tools/quiet.sh "Node's ws and pyright" \
			npm install --prefix tests/node --no-audit --no-fund --no-package-lock && touch $@; \
	else echo "no npm here: tests with Node's ws and pyright are skipped"; fi

# The two that a newcomer needs are `make up` and `make test`; `make help` lists all.
# Every target asks nothing, shows what it does, and says in one line what is missing where it can't go on.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# Every version is locked, so nothing is left to resolve; and Python compiles what is used of it when it is used:
# all of it would take longer than all the rest.
PIP := $(BIN)/pip --disable-pip-version-check --quiet
LOCKED := install --no-deps --no-compile --require-hashes -r
# Kept, also where the environment says otherwise: hundreds of processes read what one of them compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up up-full services test test-postgresql lint audit check format bench soak fuzz lock assets clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

# A virtual environment that is half there is made anew; Debian keeps `venv` in a package of its own.
$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing (Debian: apt-get install python3)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || tools/debian_packages.sh ensurepip-missing:python3-venv
	@echo "making the virtual environment $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { echo "no virtual environment: install python3-venv" >&2; exit 1; }

$(VENV)/.build: $(BIN)/pip requirements/build.txt
	@$(PIP) $(LOCKED) requirements/build.txt
	@touch $@

$(VENV)/.server: $(VENV)/.build requirements/server.txt pyproject.toml
	@echo "installing the locked requirements of the server and the example"
	@$(PIP) $(LOCKED) requirements/server.txt
	@$(PIP) install --no-deps --no-compile --no-build-isolation -e .
	@touch $@

# What only the tests need: no package is in both files, so `make -j` installs them side by side.
$(VENV)/.more: $(VENV)/.build requirements/test.txt
	@echo "installing the locked requirements of the tests"
	@$(PIP) $(LOCKED) requirements/test.txt
	@touch $@

$(VENV)/.test: $(VENV)/.server $(VENV)/.more
	@touch $@

install: $(VENV)/.server ## the virtual environment with locked requirements

up: $(VENV)/.server ## start everything, with a real example, and print the address and the login
	@exec $(BIN)/lineage up

up-full: $(VENV)/.server service-programs ## the same on PostgreSQL, Redis and Neo4j with Celery workers, state in var/full
	@exec $(BIN)/lineage up --full

services: $(VENV)/.server service-programs ## PostgreSQL, Redis and Neo4j alone, state in var/services; prints their settings
	@exec $(BIN)/lineage services

# Debian's packages start servers of their own; ours run beside them, on other ports and with other data.
.PHONY: service-programs
service-programs: $(VENV)/.server
	@tools/debian_packages.sh '/usr/lib/postgresql/*/bin/initdb:postgresql' redis-server:redis-server \
		java:default-jre-headless mvn:maven
	@$(BIN)/python -m lineage.localservices.neo4j_jars || echo "going on without Neo4j" >&2
	@$(BIN)/python -m tests.spec.tlc || echo "going on without TLC" >&2

# Four processes share the tests file by file, because much of a test is waiting for a service: each has services of its
# own, some 1.5 GB in all, so more would need more memory. In the order of tests/conftest.py, which has the quick files
# last, so that none waits long for the others. Three take less for the PostgreSQL half, most of which is computing.
TOGETHER := --dist loadfile --no-loadscope-reorder

test: $(VENV)/.test service-programs ## install what the tests need, then run them all
	@tools/debian_packages.sh curl:curl openssl:openssl git:git docker-registry:docker-registry softhsm2-util:softhsm2 '/usr/lib/*/libatomic.so.1:libatomic1'
# The shell is the same engine without a browser around it, for half of the CPU time.
	@tools/debian_packages.sh chromium-headless-shell:chromium-headless-shell
	@command -v chromium-headless-shell >/dev/null 2>&1 || tools/debian_packages.sh chromium:chromium
	@$(BIN)/python -m lineage.localservices.neo4j_classes || echo "going on without an archive of Neo4j's classes" >&2
	@$(BIN)/pytest $(or $(PYTEST_ARGS),-n 4 $(TOGETHER))
	@test -n "$(PYTEST_ARGS)" || $(MAKE) --no-print-directory test-postgresql

# What reads or writes log and graph once more, on the other database; what starts its own services ran above.
ON_POSTGRESQL := tests/api tests/contract tests/conformance tests/replay tests/workers $(if $(SOAK),tests/crash/test_points.py) tests/crash/test_frozen.py $(wildcard \
	$(addprefix tests/integration/test_,append.py audited_*.py bootstrap.py sync.py graph_read_*.py keyring.py log_rewritten.py own_keys.py postgresql_*.py projector*.py publish.py stolen_decisions.py))

# What is settled before a row is read, or says nothing of rows: scopes, documentation, problems, addresses, framing,
# what a collector of cycles finds, what was done to a copy's files. Bad inputs run as lines of a set: read by the same
# code as one alone, and recorded by the same. The closure index reads either database's edges by one query, which random
# graphs ask here too.
NOT_ON_POSTGRESQL := $(addprefix --ignore=tests/,$(addprefix api/test_,access.py documentation.py no_cycles.py \
	problems.py programs.py rate_limits.py routes.py) contract/test_chunked.py contract/test_endpoints.py \
	workers/test_check_damage.py) $(addprefix --deselect=tests/,api/test_openlineage.py::test_the_real_client \
	contract/test_bad_inputs.py::test_a_bad_input_is_refused_counted_and_leaves_nothing \
	conformance/test_cases.py::test_index)

test-postgresql: $(VENV)/.test ## the tests of log, graph and interfaces on PostgreSQL
	@if test "$$LINEAGE_TEST_SERVICES" = all || $(BIN)/python -c 'from lineage.localservices import postgresql; postgresql.programs()' 2>/dev/null; \
	then REPLAY_SIZE=$${REPLAY_SIZE:-400} exec $(BIN)/pytest --ds=tests.settings_postgresql -n 3 $(TOGETHER) -m "not service or both_databases" $(ON_POSTGRESQL) $(NOT_ON_POSTGRESQL); \
	else echo "not tested on PostgreSQL, which is not installed" >&2; fi

lint: $(VENV)/.test ## the lock files, ruff, mypy, import-linter, migrations
	$(BIN)/pip --disable-pip-version-check check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy lineage api workers tests
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run

audit: $(VENV)/.test ## known vulnerabilities of the locked requirements; says so where the service can't be asked
	@$(BIN)/python tools/audit.py

check: lint audit test ## what has to pass before a change lands

format: $(VENV)/.test ## put the code in its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test ## measure a fresh server from another process; figures as ratios to a calibration
	@tools/debian_packages.sh ps:procps
	@exec $(BIN)/python -m tests.bench $(BENCH_ARGS)

SOAK_ROUNDS ?= 100
SOAK_FUZZ_SECONDS ?= 600
soak: $(VENV)/.test service-programs ## hours: kill the server 200 times under load, replay a longer log, the larger models, 10 minutes of each fuzz target
	SOAK=1 $(MAKE) --no-print-directory test PYTEST_ARGS=
	CRASH_ROUNDS=$(SOAK_ROUNDS) $(BIN)/pytest -q -s tests/crash
	REPLAY_SIZE=5000 $(BIN)/pytest -q tests/replay
	$(BIN)/python -m tests.spec --large
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=$(SOAK_FUZZ_SECONDS)

# Each target for as long, one after the other; what breaks a reader is written to var/fuzz, what led a search on to
# var/fuzz/corpus, where the next one goes on.
FUZZ_SECONDS ?= 60
fuzz: $(VENV)/.test ## search for inputs that break what reads strangers' bytes (FUZZ_SECONDS each)
	@for target in $$($(BIN)/python -m tests.fuzz --list); do \
		$(BIN)/python -m tests.fuzz $$target --seconds $(FUZZ_SECONDS) || exit 1; done

lock: $(VENV)/.test ## compile the lock files again
	tools/lock.sh

assets: ## vendor the pages' fonts, icons and htmx again from package-lock.json
	npm ci --ignore-scripts
	$(BIN)/python tools/vendor_assets.py

clean: ## remove the virtual environment and caches; state in var/ stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

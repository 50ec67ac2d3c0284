# Boxoffice. `make` lists the targets.

.DEFAULT_GOAL := help
# The server programs of test-db.
export POSTGRES_BIN
STATE = $(or $(BOXOFFICE_STATE),.local)
# An operator's token has every scope.
SCOPE = shows:write bookings:read bookings:confirm payments:read payments:settle subjects:erase
SUB = operator

.PHONY: help up demo down url dsn token logs check test test-unit test-db test-e2e lint fuzz sbom bench tools check-prereqs clean distclean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

up: ## start or update the local cloud; print its URL and what to try
	@local/up.sh

demo: ## run a demo on the local cloud: book, pay, let a hold expire
	@local/is-up.sh || local/up.sh >/dev/null
	@python3 local/demo.py "$$(cat $(STATE)/url)" "$$(local/issuer.sh token operator "$(SCOPE)")"

down: ## stop what make up started; keep the data
	@local/down.sh

url: ## print the local API's URL
	@local/is-up.sh --or-say && cat $(STATE)/url

dsn: ## print the local database's URL
	@local/is-up.sh --or-say && cat $(STATE)/dsn

token: ## print an access token of the local issuer: make token SCOPE="shows:write bookings:read" SUB=ada
	@local/is-up.sh --or-say && local/issuer.sh token "$(SUB)" "$(SCOPE)"

logs: ## follow the functions' logs in the local cloud
	@local/logs.sh $(FUNCTION)

check: ## print the broken invariants of the database at DATABASE_URL (unset: the local cloud's)
	@DATABASE_URL="$${DATABASE_URL:-$$(cat $(STATE)/dsn)}" cargo run --quiet --package boxoffice-migrations --bin check

test: ## run lint and all tests, as continuous integration does
	@local/test.sh all

test-unit: ## run the unit and documentation tests; they need no database
	@local/test.sh unit

test-db: ## run the database tests: make test-db POSTGRES_BIN=/usr/lib/postgresql/17/bin takes another version
	@local/test.sh db

test-e2e: ## run the end-to-end tests in a local cloud of their own
	@local/test.sh e2e

lint: ## lint code, docs, template, licences and scripts
	@local/lint.sh

fuzz: ## fuzz every parser for FUZZ_SECONDS each (default 60); print the input of each finding
	@FUZZ_SECONDS="$(or $(FUZZ_SECONDS),60)" local/fuzz.sh

sbom: ## write an SBOM of the shipped binaries (CycloneDX JSON) into target/sbom
	@local/sbom.sh

bench: ## run the benchmarks (minutes) and write bench/report/report.html; BENCH="--only statements" runs a part
	@local/tools.sh lambda
	@BOXOFFICE_LTO=1 local/build.sh
	@cargo run --profile load --package boxoffice-bench -- $(BENCH)

tools: ## install the pinned tools into .tools (make up does this too)
	@local/tools.sh lambda ministack sam schemathesis lint checkov

check-prereqs: ## print what this machine lacks, and the command that installs it
	@local/prereqs.sh && echo "nothing is missing"

clean: down ## stop the local cloud and delete its data
	@local/postgres.sh remove
	@[ ! -d $(STATE)/test ] || { BOXOFFICE_STATE=$(STATE)/test local/down.sh && BOXOFFICE_STATE=$(STATE)/test local/postgres.sh remove; }
	@rm -rf $(STATE)

distclean: clean ## delete the builds and the tools too
	@rm -rf target .tools .aws-sam

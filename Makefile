# Boxoffice. `make` lists the targets.

.DEFAULT_GOAL := help
STATE = $(or $(BOXOFFICE_STATE),.local)
# An operator's: all scopes there are.
SCOPE = shows:write bookings:read bookings:confirm payments:read payments:settle subjects:erase
SUB = operator

.PHONY: help up demo down url dsn token logs check test lint fuzz sbom bench tools check-prereqs clean distclean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

up: ## bring the local cloud up, or up to date; says its URL and what to try
	@local/up.sh

demo: ## tell the main story on the local cloud: book, pay, let a hold expire
	@local/is-up.sh || local/up.sh >/dev/null
	@python3 local/demo.py "$$(cat $(STATE)/url)" "$$(local/issuer.sh token operator "$(SCOPE)")"

down: ## stop exactly what make up started; the data stays
	@local/down.sh

url: ## print the local API's URL
	@local/is-up.sh --or-say && cat $(STATE)/url

dsn: ## print the local database's URL
	@local/is-up.sh --or-say && cat $(STATE)/dsn

token: ## print an access token of the local issuer: make token SCOPE="shows:write bookings:read" SUB=ada
	@local/is-up.sh --or-say && local/issuer.sh token "$(SUB)" "$(SCOPE)"

logs: ## follow the functions' logs in the local cloud
	@local/logs.sh $(FUNCTION)

check: ## print what is wrong in the database of DATABASE_URL, or else the local cloud's
	@DATABASE_URL="$${DATABASE_URL:-$$(cat $(STATE)/dsn)}" cargo run --quiet --package boxoffice-migrations --bin check

test: ## run everything that must hold: lint, unit, database and end-to-end tests
	@local/test.sh

lint: ## check form: rustfmt, clippy, docs, template, licences, scripts
	@local/lint.sh

fuzz: ## fuzz every parser for FUZZ_SECONDS each (60 unless given); a finding is shown with its input
	@FUZZ_SECONDS="$(or $(FUZZ_SECONDS),60)" local/fuzz.sh

sbom: ## write what the shipped binaries are made of, as CycloneDX JSON, into target/sbom
	@local/sbom.sh

bench: ## measure, and write bench/report/report.html; some minutes. BENCH="--only statements" does a part
	@local/tools.sh lambda
	@local/build.sh
	@cargo run --profile load --package boxoffice-bench -- $(BENCH)

tools: ## install the pinned tools into .tools (make up does it by itself)
	@local/tools.sh lambda ministack sam schemathesis lint checkov

check-prereqs: ## say what this machine lacks, and the command that installs it
	@local/prereqs.sh && echo "nothing is missing"

clean: down ## stop the local cloud and delete its data
	@local/postgres.sh remove
	@[ ! -d $(STATE)/test ] || { BOXOFFICE_STATE=$(STATE)/test local/down.sh && BOXOFFICE_STATE=$(STATE)/test local/postgres.sh remove; }
	@rm -rf $(STATE)

distclean: clean ## delete the builds and the tools as well
	@rm -rf target .tools .aws-sam

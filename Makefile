# ldapsync: everything a developer does. `make` alone builds; `make help` lists the rest.

SHELL       := /bin/bash -o pipefail
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null)
BUF         := go tool -modfile=../tools/go.mod buf
TESTFLAGS   ?=
PACKAGES    ?= ./...
CHECKS      ?= 2500

.DEFAULT_GOAL := build
.PHONY: build install test property cluster servers lint proto-check generate freeze fmt demo bench clean help

build: ## Build the static binary bin/ldapsync
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ldapsync ./cmd/ldapsync

install: ## Build and install into Go's bin directory
	CGO_ENABLED=0 go install -trimpath -ldflags '-s -w -X main.version=$(VERSION)' ./cmd/ldapsync

test: servers lint ## Install the test servers, lint, and run all tests (PACKAGES=./proto TESTFLAGS='-run X' for some)
	go test -json -race -count=1 -parallel 4 -timeout 40m $(TESTFLAGS) $(PACKAGES) | go run ./scripts/totals
ifeq ($(PACKAGES)$(TESTFLAGS),./...)
	$(MAKE) property
endif

property: ## Hold two minutes of random runs to the rules (CHECKS=100000 for a night)
	go test -count=1 -timeout 0 -run '^TestRandomRunsKeepTheRules$$' ./extractor -rapid.checks=$(CHECKS)

year: servers ## Let a company of 2,000 live through 3,000 snapshots, and replay every 50th (in make test: 500 and 400)
	YEAR_PEOPLE=2000 YEAR_SNAPSHOTS=3000 go test -count=1 -timeout 60m -run TestAYearOfACompany -v ./cmd/ldapsync

cluster: ## Run the tests on a cluster of three NATS servers (not part of make test: see CONTRIBUTING.md)
	go test -race -count=1 -tags cluster -run Cluster -timeout 15m ./internal/bus

servers: ## Install the servers that the tests need, if they are missing (Debian)
	scripts/install-test-servers

lint: proto-check ## Check formatting, go vet, staticcheck, and who imports whom
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not formatted, make fmt mends it:"; echo "$$files"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go test -count=1 .

proto-check: ## Check the contract: its style, that it breaks no consumer, that its generated code is up to date
	cd proto && $(BUF) lint
	cd proto && $(BUF) breaking --against testdata/v1.binpb
	@new=$$(mktemp -d) && trap 'rm -rf "$$new"' EXIT && mkdir "$$new/proto" && \
		(cd proto && $(BUF) generate -o "$$new/proto") && \
		for code in events outcomes; do \
			diff -u proto/$$code.pb.go "$$new/proto/$$code.pb.go" || { echo "proto/$$code.pb.go is not what the schema generates: make generate"; exit 1; }; \
		done

generate: ## Generate the Go code of proto/
	cd proto && $(BUF) generate

freeze: ## Freeze the contract as it stands: what comes later may not break it
	cd proto && $(BUF) build --exclude-source-info -o testdata/v1.binpb

fmt: ## Format the Go code and the schema
	gofmt -w .
	cd proto && $(BUF) format -w

demo: build ## Show a whole synchronization: a company, a stream, Django's tables
	bin/ldapsync demo

bench: servers ## Measure against ldapsearch and COPY (N=100000 RUNS=3, or SIZES="100000 1000000"); let nothing else run
	go run ./bench

clean: ## Remove what was built
	rm -rf bin

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

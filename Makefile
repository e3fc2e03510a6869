# Portico. `make help` lists what there is to do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tools are pinned in tools.mod and built by the go command on first use.
TOOL := go tool -modfile=tools.mod
BUF := $(TOOL) buf

# What `make breaking` compares the protos with: the latest release, else the commit before.
AGAINST ?= $(shell git describe --tags --abbrev=0 2>/dev/null || git rev-parse --verify --quiet HEAD~1 || echo HEAD)

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: all
all: check-generate build lint test ## Everything that a change has to pass.

.PHONY: run
run: ## Run the gateway with demo backends and print curls to try.
	@go build -o bin/portico ./bff/cmd/portico
	@exec ./bin/portico dev

.PHONY: build
build: ## Build the commands into bin/.
	go build -o bin/ ./bff/cmd/portico ./backends/cmd/backends

.PHONY: test
test: need-race ## Run all tests with the race detector.
	go test -race -timeout 10m ./...

# The race detector needs a C compiler.
.PHONY: need-race
need-race:
	@.ci/need gcc gcc libc6-dev

.PHONY: bench
bench: ## Run the benchmarks.
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: generate
generate: deps ## Generate gen/ from proto/.
	@rm -rf gen
	$(BUF) generate

.PHONY: check-generate
check-generate: deps ## Fail if gen/ is not what proto/ and the generators make.
	@out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; \
	$(BUF) generate --output "$$out"; \
	diff -r gen "$$out/gen" || { echo 'gen/ is stale: run `make generate`' >&2; exit 1; }

# The foreign protos that ours import, printed from the descriptors of the Go modules that go.mod pins.
.PHONY: deps
deps:
	@go run ./bff/cmd/protodeps

.PHONY: breaking
breaking: deps ## Fail if the protos break clients of $(AGAINST).
	@old=$$(mktemp -d); trap 'rm -rf "$$old"' EXIT; \
	git archive '$(AGAINST)' proto buf.yaml | tar -x -C "$$old"; \
	mkdir "$$old/.deps"; cp -r .deps/proto "$$old/.deps/proto"; \
	$(BUF) breaking --against "$$old"

.PHONY: lint
lint: deps ## Lint protos and Go.
	$(BUF) lint
	$(BUF) format --diff --exit-code proto
	go vet ./...
	$(TOOL) golangci-lint run

.PHONY: fmt
fmt: ## Format protos and Go.
	$(BUF) format --write proto
	$(TOOL) golangci-lint fmt

.PHONY: tidy
tidy: ## Tidy go.mod and tools.mod.
	go mod tidy
	go mod tidy -modfile=tools.mod

.PHONY: clean
clean: ## Remove what was built and the demo data.
	rm -rf bin .deps .portico

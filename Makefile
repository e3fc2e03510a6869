# Portico. `make help` lists what there is to do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tools are pinned in tools.mod and built by the go command on first use.
TOOL := go tool -modfile=tools.mod
BUF := $(TOOL) buf

# Another team's protos, which tests and examples serve.
FOREIGN := bff/internal/testkit/foreign

# An example that is a module of its own, as another repository would be, but for buf, which it takes from our tools.
LIBRARY := docs/examples/library
library = $(MAKE) --no-print-directory -C $(LIBRARY) BUF="$$($(TOOL) -n buf)"

# The end-to-end tests, a module of their own with what only they need.
E2E := bff/e2e

# What writes the image of a release, a module of its own with what only it needs.
IMAGE := deploy/image

# Other people's APIs, a module of its own that serves them. Nothing of theirs is here: it is generated from Go modules.
APIS := bff/internal/testkit/foreign/apis

# The test of deploy/kubernetes, a module of its own with the types of Kubernetes.
MANIFESTS := deploy/test

# The JSON Schema of the configuration file, and the page about its settings.
SCHEMA := bff/config/schema.json
SETTINGS := docs/configuration.md
settings-into = go run ./bff/cmd/configdoc -schema "$(1)/schema.json" -page "$(1)/configuration.md"

# The scripts of the page of `portico dev` and of the operators' console.
PAGE := bff/internal/tool/demo/page/main.js
CONSOLE := bff/internal/admin/console/page/main.js

# The list of composites.
COMPOSITES := bff/composite/all

# What `make breaking` compares the protos with: the release before, else the commit before.
AGAINST ?= $(shell git describe --tags --abbrev=0 HEAD^ 2>/dev/null || git rev-parse --verify --quiet HEAD~1 || echo HEAD)

# Without paths, copies of the repository, such as the one that TestNewcomer makes, share compiled packages with it.
export GOFLAGS := -trimpath

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: all
all: check-generate breaking build lint test ## Everything that a change has to pass.

# DEV are flags: `make run DEV="--mock all"`.
.PHONY: run
run: bin/portico ## Run the gateway with demo backends and print curls to try.
	@exec ./bin/portico dev $(DEV)

# Without gRPC's trace pages, which nobody can open here, the linker drops what nothing calls: a quarter of the program, and 8 MB of
# memory.
TAGS := -tags grpcnotrace

# The program is built here as it is released, without C, so that compiled packages are shared.
PORTICO := go build $(TAGS) -ldflags=-w
bin/portico build: export CGO_ENABLED := 0

.PHONY: bin/portico
bin/portico: ## Build the command in seconds, without what a debugger needs.
	@echo 'building bin/portico (this takes minutes the first time)' >&2
	@$(PORTICO) -o bin/portico ./bff/cmd/portico

# PLATFORMS are what a release is for.
PLATFORMS ?= linux/amd64 linux/arm64

.PHONY: release
release: ## Write what is published of a commit to dist/: archives, image, SBOMs, checksums. It is the same wherever it is built.
	@BUILD='$(PORTICO)' .ci/release dist $(PLATFORMS)

# What a change needs first: of the gateway, vet and the unit tests of the packages that differ from the last commit. All tests are
# `make test`, which takes many times as long.
.PHONY: quick
quick: generate ## Generate, build bin/portico, and vet and test the backends and what was changed, in a minute or so.
	@$(MAKE) --no-print-directory bin/portico
	go vet ./backends/... $$(.ci/changed)
	go test ./backends/... $$(.ci/changed | grep -vxE '$(LOADED)')

.PHONY: build
build: ## Build the commands into bin/.
	go build $(TAGS) -o bin/ ./bff/cmd/portico ./backends/cmd/backends

# Packages whose tests put load on everything. They get the machine for themselves, one after the other, as all of $(E2E) do. More of
# their tests run at a time than there are cores, since most of them wait: for processes, for peers, or until a time limit has passed.
MODULE := github.com/portico-gateway/portico
LOADED := $(MODULE)/bff/cmd/drill|$(MODULE)/bff/internal/testkit/servers

# Codecs do not start goroutines, and the race detector makes their many inputs take ten times as long. What their callers share is
# under it in the end-to-end tests.
CODECS := $(MODULE)/bff/internal/protojson

# A program under the race detector would sleep for a second before it exits, and there are hundreds.
test: export GORACE := atexit_sleep_ms=10

# `make lint` vets all but what has the tag. NO_BROWSER=1 leaves out what `make browser` runs, and needs no browser. With -j2, what does
# not depend on time runs at the same time.
.PHONY: test
test: test-packages test-modules test-loaded ## Run all tests, with the race detector.

# Twice as many packages as cores: many wait for processes or peers.
.PHONY: test-packages
test-packages: need-race need-redis need-web
	go test -vet=off -race -timeout 10m -p $$((2 * $$(nproc))) $$(go list ./... | grep -vxE '$(LOADED)|$(CODECS)')

.PHONY: test-modules
test-modules: need-race need-web apis
	go test -vet=off -timeout 10m $$(go list ./... | grep -xE '$(CODECS)')
	go -C $(E2E) test -vet=off -timeout 10m ./conformance ./description
	go -C $(E2E) test -race -timeout 5m -tags xds ./xds
	go -C bench test -timeout 5m ./...
	go -C $(MANIFESTS) test -timeout 5m ./...
	go -C $(LIBRARY) test -timeout 5m ./...
	go -C $(APIS) test -timeout 5m ./...
	npm --prefix web test

# These begin when all others have ended.
.PHONY: test-loaded
test-loaded: test-packages test-modules need-curl need-jq $(if $(NO_BROWSER),,need-chromium) need-servers need-promtool need-systemd
	go test -vet=off -race -timeout 15m -p 1 -parallel 4 $$(go list ./... | grep -xE '$(LOADED)')
	go -C $(E2E) test -vet=off -race -timeout 15m -p 1 -parallel 4 $(if $(NO_BROWSER),-skip '$(BROWSER)') $(RACED)

.PHONY: apis
apis:
	go -C $(APIS) run ./generate

# The tests of descriptions are codecs' as well.
RACED := $$(go -C $(E2E) list ./... | grep -vE '/(conformance|description$(if $(NO_BROWSER),|browsertest))$$')

# Tests that open pages in Chromium, by their names.
BROWSER := ^Test(BrowserSession|ConsolePage|Demo|Docs|EventSourceGoesOn)

.PHONY: browser
browser: need-race need-chromium ## Run the tests that open pages in a browser.
	go -C $(E2E) test -vet=off -race -timeout 10m -p 1 ./browsertest
	go -C $(E2E) test -vet=off -race -timeout 10m -p 1 -parallel 4 -run '$(BROWSER)' ./command ./embedding ./sessions

# The race detector needs a C compiler.
.PHONY: need-race
need-race:
	@.ci/need gcc gcc libc6-dev

.PHONY: need-web
need-web:
	@.ci/npm web

.PHONY: need-curl
need-curl:
	@.ci/need curl curl

# The commands of the README.
.PHONY: need-jq
need-jq:
	@.ci/need jq jq

.PHONY: need-redis
need-redis:
	@.ci/need redis-server redis-server

# Of the alerts.
.PHONY: need-promtool
need-promtool:
	@.ci/need promtool prometheus

# The verifier of units.
.PHONY: need-systemd
need-systemd:
	@.ci/need systemd-analyze systemd

# The gRPC servers and proxies that bff/internal/testkit/servers runs.
.PHONY: need-servers
need-servers:
	@.ci/npm bff/internal/testkit/servers/node
	@.ci/need nginx nginx-light
	@.ci/need haproxy haproxy
	@python3 -c 'import grpc' 2>/dev/null || .ci/need /usr/lib/python3/dist-packages/grpc python3-grpcio

# Any of those that bff/e2e/browsertest takes.
.PHONY: need-chromium
need-chromium:
	@command -v chromium google-chrome >/dev/null || .ci/need chromium-headless-shell chromium-headless-shell

# What a request costs beside grpc-gateway, bare and with the usual middleware. BENCH are flags: `make bench BENCH="-quick -only small,list"`.
.PHONY: bench
bench: bin/bench ## Measure CPU per request, which takes about three minutes, and print a table.
	exec bin/bench $(BENCH)

.PHONY: bin/bench
bin/bench:
	go -C bench build -o ../bin/bench .

.PHONY: benchmarks
benchmarks: ## Run the Go benchmarks.
	go test -run '^$$' -bench . -benchmem ./...

# What becomes of requests when things break. DRILL are flags: `make drill DRILL="-only kill -keep"`.
.PHONY: drill
drill: need-redis ## Run the fault drill, which takes about a minute, and print its table.
	go run ./bff/cmd/drill $(DRILL)

# What parses what strangers send or teams declare.
FUZZTIME := 10m
.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME.
	@for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' bff backends | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -hoE '^func Fuzz\w+' "$$dir"/*_test.go | sed 's/^func //'); do \
			echo "$$dir $$target"; go test "./$$dir" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -parallel 2; \
		done; \
	done

.PHONY: generate
generate: ## Generate gen/ from proto/, the scripts of pages, and what describes the settings.
	@out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; \
	$(options-into) || exit 1; \
	$(protodeps) || exit 1; \
	$(call generate-into,$$out) || exit 1; \
	if .ci/npm web; then $(call typescript-into,$$out) || exit 1; \
	else echo 'gen/ts is left as it was: its generator runs on npm; without it, somebody else has to run `make generate`' >&2; \
		mkdir -p gen/ts; cp -r gen/ts "$$out/gen/"; fi; \
	$(call pages-into,$$out) || exit 1; \
	$(call settings-into,$$out) || exit 1; \
	rm -rf gen $(FOREIGN)/gen $(COMPOSITES); \
	mv "$$out/gen" gen; \
	mv "$$out/$(COMPOSITES)" $(COMPOSITES); \
	mv "$$out/$(FOREIGN)/gen" $(FOREIGN)/gen; \
	mv "$$out/$(PAGE)" $(PAGE); \
	mv "$$out/$(CONSOLE)" $(CONSOLE); \
	mv "$$out/schema.json" $(SCHEMA); \
	mv "$$out/configuration.md" $(SETTINGS)
	+@$(library) generate

.PHONY: check-generate
check-generate: deps need-web ## Fail if what is generated is not what its sources and the generators make.
	@out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; \
	$(call generate-into,$$out) && $(call typescript-into,$$out) && $(call pages-into,$$out) && $(call settings-into,$$out) || exit 1; \
	{ diff -r gen "$$out/gen" && diff -r $(COMPOSITES) "$$out/$(COMPOSITES)" && diff -r $(FOREIGN)/gen "$$out/$(FOREIGN)/gen" && \
		diff $(PAGE) "$$out/$(PAGE)" && diff $(CONSOLE) "$$out/$(CONSOLE)" && \
		diff $(SCHEMA) "$$out/schema.json" && diff $(SETTINGS) "$$out/configuration.md"; } || \
	{ echo 'generated code is stale: run `make generate`' >&2; exit 1; }
	+@$(library) check-generate

# Our plugins and protodeps are Go programs that import gen/portico, so that is made first, without them and from its policy.proto alone.
# Generation goes to a folder of its own and never leaves gen/ half made.
options-into = $(BUF) generate proto --path proto/portico/v1/policy.proto --config '{"version": "v2", "modules": [{"path": "proto"}]}' \
	--output "$$out" --template '$(options-template)' && cp -r "$$out/gen/portico" gen/ && rm -r "$$out/gen"
options-template = {"version": "v2", "plugins": [{"local": ["go", "tool", "-modfile=tools.mod", "protoc-gen-go"], \
	"out": "gen", "opt": "paths=source_relative"}]}
generate-into = $(BUF) generate --output "$(1)" && $(BUF) generate --output "$(1)" --template $(FOREIGN)/buf.gen.yaml

# The types for TypeScript are made from the description that our plugin made.
typescript-into = web/node_modules/.bin/openapi-typescript "$(1)/gen/openapi/openapi.json" --root-types \
	--root-types-no-schema-prefix --output "$(1)/gen/ts/schema.ts" >/dev/null

# The scripts of pages take no npm: esbuild is a Go program, and of what it bundles nothing is foreign.
pages-into = $(call script-into,$(1),demo,$(PAGE)) && $(call script-into,$(1),console,$(CONSOLE))
script-into = $(TOOL) esbuild web/$(2)/main.ts --bundle --format=esm --target=es2022 --charset=utf8 --log-level=warning \
	--banner:js='// Code generated by esbuild from web/$(2). DO NOT EDIT.' --outfile="$(1)/$(3)"

# The foreign protos that ours import, printed from the descriptors of the Go modules that go.mod pins.
# It also finds what is wrong with our own, and says it before any other program does. It is built and then run, as `go run` would
# have the last word.
.PHONY: deps
deps:
	@$(protodeps)

protodeps = go build -buildvcs=false -ldflags=-w -o bin/protodeps ./bff/cmd/protodeps && bin/protodeps

.PHONY: breaking
breaking: deps bin/portico ## Fail if the protos break gRPC or REST clients of $(AGAINST).
	@old=$$(mktemp -d); trap 'rm -rf "$$old"' EXIT; \
	cp --parents -r buf.yaml .deps/proto $(FOREIGN)/proto "$$old"; \
	git archive '$(AGAINST)' proto | tar -x -C "$$old"; \
	$(BUF) breaking proto --against "$$old/proto"
	./bin/portico breaking --against '$(AGAINST)' proto

.PHONY: lint-proto
lint-proto: deps need-web bin/portico ## Lint the protos and the description that is made of them, which is a quick part of lint.
	$(BUF) lint
	./bin/portico lint proto
	$(BUF) format --diff --exit-code proto
	npm --prefix web run --silent lint:openapi

# It is not in tools.mod, since it does not compile with the version of a module that other tools there take.
ACTIONLINT := go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# golangci-lint has the analyzers of go vet, and is for the modules that are built or tested here as the main one is. It takes
# minutes, and may run beside tests: it yields to them.
.PHONY: lint
lint: lint-proto apis ## Lint protos, Go, TypeScript, workflows and the description of the API.
	for module in . $(E2E) bench $(MANIFESTS) $(LIBRARY) $(IMAGE); do go -C "$$module" mod tidy -diff; done
	$(BUF) format --diff --exit-code $(FOREIGN)/proto
	go -C bench vet ./...
	go -C $(LIBRARY) vet ./...
	go -C $(APIS) vet . ./generate ./linked
	+@$(library) lint
	lint=$$($(TOOL) -n golangci-lint); for module in . $(E2E) $(IMAGE); do (cd "$$module" && nice -n 19 "$$lint" run --allow-parallel-runners) || exit; done
	$(ACTIONLINT)
	npm --prefix web run --silent check

.PHONY: fmt
fmt: ## Format protos and Go.
	$(BUF) format --write proto; $(BUF) format --write $(FOREIGN)/proto
	$(TOOL) golangci-lint fmt
	lint=$$($(TOOL) -n golangci-lint) && for module in $(E2E) $(IMAGE); do (cd "$$module" && "$$lint" fmt); done

.PHONY: cover
cover: need-redis ## Run the tests of packages, without the race detector, and print how much of the code they run.
	@mkdir -p bin
	go test -timeout 10m -coverprofile bin/cover.out -coverpkg ./bff/...,./backends/... \
		$$(go list ./bff/... ./backends/... | grep -vxE '$(LOADED)|$(MODULE)/bff/internal/testkit/.*') >bin/cover.txt || { cat bin/cover.txt; exit 1; }
	@go tool cover -func bin/cover.out | tail -1

.PHONY: vulnerabilities
vulnerabilities: ## Look for known vulnerabilities in what the commands and the end-to-end tests call. It needs vuln.go.dev.
	$(TOOL) govulncheck ./...
	$(TOOL) govulncheck -C $(E2E) -test ./...
	$(TOOL) govulncheck -C $(IMAGE) ./...

.PHONY: tidy
tidy: ## Tidy go.mod of the modules whose code is committed.
	go mod tidy
	go -C $(E2E) mod tidy
	go -C bench mod tidy
	go -C $(MANIFESTS) mod tidy
	go -C $(LIBRARY) mod tidy
	go -C $(IMAGE) mod tidy

.PHONY: update-tools
update-tools: ## Take the latest versions of the tools in tools.mod.
	go get -modfile=tools.mod -u tool

.PHONY: clean
clean: ## Remove what was built and the demo data.
	rm -rf bin dist .deps .portico

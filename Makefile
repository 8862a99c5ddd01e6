# SPDX-License-Identifier: MIT
# The front door: every target is one call or two. `make help` lists them.
.DEFAULT_GOAL := build
.PHONY: build run test unit e2e browser e2e-real cluster s3 deploy asan tsan faults coverage fuzz soak \
    bench lint fmt web docs install dist deb sbom clean help

build: ## the release program, build/chatbox, with the pages
	@tools/setup build
	@tools/web
	@tools/build release chatbox bench/ws-echo

run: build ## chat in the browser: starts build/chatbox dev
	@exec build/chatbox dev

test: ## everything: units, lints, corpora, types, pages, end to end, browser
	@tools/setup test
	@tools/suites.py test

unit e2e browser: ## only that suite
	@tools/setup test
	@tools/suites.py $@

cluster: ## the chart, manifests, alert rules and the board; builds helm
	@tools/suites.py $@

s3: ## uploads in a bucket, on a server that looks at signatures; builds it
	@tools/suites.py $@

deploy: ## the container's files, the unit, the package, in Debian in a folder; root
	@tools/suites.py $@

e2e-real: ## with a LiteLLM proxy as the model; installs 750 MB
	@tools/suites.py $@

asan tsan faults: ## units and end to end with that build (.ci/run does all)
	@tools/setup test
	@tools/suites.py $@

coverage: ## which lines of src the tests run; fails when too few
	@tools/setup test
	@tools/build cov
	@tools/coverage --fresh
	@tools/suites.py cov

fuzz: ## every parser's fuzzer, 9 seconds each
	@tools/setup test
	@tools/suites.py fuzzing

soak: ## the long runs of docs/soak.md: an hour or two on two cores
	@tools/setup test
	@tools/suites.py soak
	@tools/build release chatbox bench/load_slow
	@bench/slow.py

bench: ## the measurements of bench/RESULTS.md
	@tools/setup build
	@tools/build release
	@bench/run

lint: ## the house's rules: doors, budgets, locks, names, tables, format
	@tools/setup test
	@tools/suites.py lint

fmt: ## lays out all C
	@tools/fmt

web: ## the pages, web/dist
	@tools/setup build
	@tools/web

docs: ## writes the generated pages, the example file and the web's types
	@tools/setup build
	@tools/web
	@tools/build release tools/docgen
	@python3 tools/docs.py build/tools/docgen .

install: build ## build/chatbox to the prefix (DESTDIR is honoured)
	@meson install -C build --no-rebuild --tags runtime

dist: ## build/chatbox-VERSION.tar.gz, which builds without Node and network
	@tools/setup build
	@tools/dist

deb: ## build/deb/chatbox_VERSION_ARCH.deb, for Debian 12
	@tools/setup deb
	@tools/deb

sbom: ## build/chatbox.spdx.json: what the program is made of (SPDX)
	@tools/build release chatbox
	@tools/sbom >build/chatbox.spdx.json

clean: ## removes what was built, not what was installed
	@rm -rf build build-asan build-tsan build-faults build-fuzz build-cov web/dist

help: ## this list
	@sed -n 's/^\([a-z0-9 -]*\):.*## /\1: /p' Makefile

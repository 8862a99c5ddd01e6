# SPDX-License-Identifier: MIT
# The front door: every target is one call. `make help` lists them.
.DEFAULT_GOAL := build
.PHONY: build

build: ## the release program, build/chatbox
	@test -f build/build.ninja || meson setup build
	@ninja -C build chatbox

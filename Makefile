# A thin door: Meson builds. `make` leaves the program at build/varve.
SHELL := /bin/bash
BUILD := build

.PHONY: all demo image test packages install uninstall clean
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) varve

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || tests/testbed/packages.sh build
	@meson setup $(BUILD) >/dev/null || { tests/testbed/packages.sh build && meson setup $(BUILD); }

demo:
	@tests/testbed/packages.sh demo
	@$(MAKE) --no-print-directory all
	@tests/demo.sh $(BUILD)/varve

# varve's own image, built by varve, as build/image.tar and in the store; the same sources and packages give the same
# digest. IMAGE_ARGS: more options of build, as --platform linux/amd64,linux/arm64.
BASE := debian:trixie-slim
IMAGE := varve:latest
image: all
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(BUILD)/varve build -f deploy/image/Dockerfile \
	    --build-arg BASE=$(BASE) -o type=oci,dest=$(BUILD)/image.tar,name=$(IMAGE),rewrite-timestamp=true $(IMAGE_ARGS) .
	@$(BUILD)/varve load $(BUILD)/image.tar

test:
	@tests/testbed/packages.sh test
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@tests/run.sh $(BUILD)

install: all
	@meson install -C $(BUILD)

# Removes what install wrote, and below a DESTDIR the folders that are empty then. The store stays.
uninstall: $(BUILD)/build.ninja
	@meson introspect --installed $(BUILD) | python3 -c 'import json, sys; print(*json.load(sys.stdin).values(), sep="\n")' | \
	while IFS= read -r file; do \
	    rm -fv -- "$(DESTDIR)$$file" || exit; \
	    [ -z "$(DESTDIR)" ] || (cd "$(DESTDIR)" && dir=$${file%/*} && rmdir -p --ignore-fail-on-non-empty -- "$${dir#/}" 2>/dev/null) || true; \
	done

clean:
	rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-tsan

# A thin door: Meson builds. `make` leaves the program at build/varve.
SHELL := /bin/bash
BUILD := build

.PHONY: all demo test packages install clean
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) varve

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || tests/testbed/packages.sh build
	@meson setup $(BUILD) >/dev/null || { tests/testbed/packages.sh build && meson setup $(BUILD); }

demo:
	@tests/testbed/packages.sh demo
	@$(MAKE) --no-print-directory all
	@tests/demo.sh $(BUILD)/varve

test:
	@tests/testbed/packages.sh test
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@tests/run.sh $(BUILD)

install: all
	@meson install -C $(BUILD)

clean:
	rm -rf $(BUILD)

# moonline: `make help` lists what can be made. One Makefile for everything, no recursion into folders; variants are
# this same file with another BUILD.

CC       = cc
CLANG    = clang
CFLAGS   = -O2 -g
LDFLAGS  =
PREFIX   = /usr/local
DESTDIR  =
BUILD    = build
PYTHON   = /usr/bin/python3
JOBS     = 2
V        = 0
WERROR   = 0
SAN      = 0
FUZZ_SECONDS = 60

.DEFAULT_GOAL = all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# Both cores without being asked; -j on the command line wins. `make clean all` keeps its order.
ifeq ($(MAKELEVEL)$(filter clean,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(JOBS)
endif
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2));)

# ---- what the compiler is told ----

STD      := -std=gnu11 -D_GNU_SOURCE -pthread
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef
INCLUDES := -Iruntime -I. -Itests/unit
ifeq ($(WERROR),1)
WARN     += -Werror
endif
# Sections of their own let the linker drop what the binary never calls.
HARDEN   := -fstack-protector-strong -ffunction-sections -fdata-sections
ifeq ($(SAN),1)
# Sanitizers want frames, little optimising, and no fortified copies of libc functions.
HARDEN   := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
ifneq ($(findstring clang,$(CC)),)
HARDEN   += -fsanitize=fuzzer-no-link
endif
else
ifneq ($(filter -O1 -O2 -O3 -Os,$(CFLAGS)),)
HARDEN   += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
endif

# Packages are looked up once and kept in config.mk. make remakes an included file that is missing, by its rule below,
# and starts over; so a bare machine gets its packages before anything needs them, and help and clean need nothing.
PKGS := libuv libmicrohttpd gnutls libcurl libcrypto sqlite3
bare_goals := help clean uninstall deps
ifneq ($(filter-out $(bare_goals),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk
endif

$(BUILD)/config.mk: build-aux/deps Makefile
	@mkdir -p $(@D)
	@build-aux/deps build
	@{ echo "PKG_CFLAGS := $$(pkg-config --cflags $(PKGS) lua5.4 lua5.4-cjson)" && \
	   echo "PKG_LIBS := $$(pkg-config --libs $(PKGS))" && \
	   echo "LUA_A := $$(build-aux/static-lua lua5.4-cjson lua5.4)"; } >$@.tmp && mv $@.tmp $@

# Lua and lua-cjson are linked statically: Debian's archive is free of the indirections of its shared library (string and
# call-heavy Lua took 1.46 s of CPU instead of 1.69 s), and start-up loads two files less. Modules from lua_modules/ find the Lua they need in the binary itself, so all of
# Lua goes in (--whole-archive) and its names, and no others, are visible from outside.
LIBS = -Wl,--whole-archive $(LUA_A) -Wl,--no-whole-archive $(PKG_LIBS) -lm -ldl -lpthread
EXPORT := -Wl,--export-dynamic-symbol='lua_*' -Wl,--export-dynamic-symbol='luaL_*' \
          -Wl,--export-dynamic-symbol='luaopen_*'
# Lazy binding on purpose (no -z now): most of the libraries' functions are never called before ready.
LINK := -Wl,-O1 -Wl,--as-needed -Wl,--gc-sections -Wl,-z,relro
ALL_CFLAGS = $(STD) $(WARN) $(CFLAGS) $(HARDEN) $(INCLUDES) $(PKG_CFLAGS)
ALL_LDFLAGS = $(CFLAGS) $(HARDEN) -pthread $(LINK) $(LDFLAGS)

# ---- what there is ----

SRC      := $(wildcard runtime/*/*.c bindings/*.c)
# scripts/types is for editors: nothing runs it.
SCRIPTS  := $(filter-out scripts/types/%,$(sort $(wildcard scripts/*.lua scripts/*/*.lua scripts/*/*/*.lua)))
# What the binary carries besides: the emulator's page.
PAGES    := $(sort $(foreach e,html css js svg png json txt,$(foreach d,*. */*. */*/*.,$(wildcard scripts/emulator/page/$d$e))))
UNITS    := $(wildcard tests/unit/test_*.c)
UNIT_PY  := $(wildcard tests/unit/test_*.py)
TORTURES := $(wildcard tests/unit/torture_*.c)
SPECS    := $(wildcard tests/spec/test_*.lua)
SCENES   := $(wildcard tests/scenario/test_*.py)
BROWSER  := $(wildcard tests/browser/*.test.mjs)
SDKS     := $(wildcard tests/sdk/*.test.mjs)
FUZZERS  := $(wildcard tests/fuzz/fuzz_*.c)
TOOLS    := $(wildcard tests/tools/*.c)
BENCHES  := $(wildcard tests/bench/*.c)

MAIN     := $(BUILD)/runtime/cli/main.o
OBJ      := $(SRC:%.c=$(BUILD)/%.o) $(BUILD)/gen/embedded.o
KIT      := $(BUILD)/libmoonline.a
UNIT_BIN := $(UNITS:%.c=$(BUILD)/%)
TORTURE_BIN := $(TORTURES:%.c=$(BUILD)/%)
TOOL_BIN := $(TOOLS:tests/tools/%.c=$(BUILD)/tools/%)
BENCH_BIN := $(BENCHES:tests/bench/%.c=$(BUILD)/bench/%)
FUZZ_BIN := $(FUZZERS:tests/fuzz/%.c=$(BUILD)/fuzz/%)

# ---- building ----

all: $(BUILD)/moonline ## the binary, build/moonline

# Linked beside and moved into place: a bot that runs, or a test about to start one, never meets half a binary.
$(BUILD)/moonline: $(OBJ)
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) $(EXPORT) -o $@.new $(OBJ) $(LIBS) && mv $@.new $@

# What `make check` compiles with warnings as errors: the tests and tools too.
everything: $(BUILD)/moonline $(UNIT_BIN) $(TORTURE_BIN) $(TOOL_BIN) $(BENCH_BIN)

# Everything but main, as an archive: a test or tool takes in only the objects it calls.
$(KIT): $(filter-out $(MAIN),$(OBJ))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/embedded.o: $(BUILD)/gen/embedded.c
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# The list of names counts too: a script taken away must leave the binary.
$(BUILD)/gen/embedded.c: $(BUILD)/gen/embed $(SCRIPTS) $(PAGES) $(BUILD)/gen/scripts.list
	$(call say,EMBED,$@)$(BUILD)/gen/embed scripts $(SCRIPTS) $(PAGES) >$@

$(BUILD)/gen/scripts.list: FORCE
	@mkdir -p $(@D)
	@echo '$(SCRIPTS) $(PAGES)' | cmp -s - $@ || echo '$(SCRIPTS) $(PAGES)' >$@

$(BUILD)/gen/embed: build-aux/embed.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(STD) $(WARN) -O1 -o $@ $<

$(UNIT_BIN) $(TORTURE_BIN): $(BUILD)/%: $(BUILD)/%.o $(KIT)
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $< $(KIT) $(LIBS)

$(TOOL_BIN): $(BUILD)/tools/%: $(BUILD)/tests/tools/%.o $(KIT)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $< $(KIT) $(LIBS)

$(BENCH_BIN): $(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(KIT)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $< $(KIT) $(LIBS)

# Fuzzers are clang's, and so are the objects they drive: `make fuzz` comes here again with CC=clang SAN=1.
$(FUZZ_BIN): $(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(KIT)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(KIT) $(LIBS)

fuzz-here: $(FUZZ_BIN)
	@BUILD=$(BUILD) build-aux/fuzz $(FUZZ_SECONDS) $(FUZZ_BIN)

$(BUILD)/.deps-%: build-aux/deps $(BUILD)/config.mk
	@build-aux/deps $* && touch $@

# ---- running ----

deps: ## install what building, testing and checking need (Debian packages; elsewhere they are listed)
	@build-aux/deps build test browser asan fuzz check soak

run: $(BUILD)/moonline ## write a bot: BOT (examples/echo.lua) runs, LINE is played, the page is at the address that is shown
	@$(BUILD)/moonline dev '$(or $(BOT),examples/echo.lua)'

# ---- documents ----

reference: $(BUILD)/moonline $(BUILD)/tools/rows ## write docs/reference and scripts/types again, from the tables and comments
	@$(PYTHON) build-aux/reference $(BUILD)/tools/rows $(BUILD)/moonline

# ---- testing ----

# TEST_SANITIZED=1 lets a test grant the slower, larger sanitized binary more time and memory.
RUNNER = MOONLINE=$(BUILD)/moonline MOONLINE_TOOLS=$(BUILD)/tools BUILD=$(BUILD) TEST_SANITIZED=$(SAN) \
         $(PYTHON) build-aux/test-runner -j $(JOBS)

# What runs no sanitized code, or is about the page and the emulator's answers, need not run again under sanitizers.
PLAIN_TESTS := $(if $(filter 1,$(SAN)),,$(UNIT_PY) $(SPECS) $(BROWSER) $(SDKS))
NODE_THERE := $(if $(PLAIN_TESTS),$(BUILD)/browser/.there $(BUILD)/sdk/.there)

test: $(BUILD)/.deps-test $(BUILD)/moonline $(UNIT_BIN) $(TOOL_BIN) $(NODE_THERE) ## every test: unit, spec, scenario, browser, sdk
	@$(RUNNER) $(UNIT_BIN) $(SCENES) $(PLAIN_TESTS)

unit: $(BUILD)/.deps-test $(UNIT_BIN) $(BUILD)/gen/embed ## the C tests of tests/unit
	@$(RUNNER) $(UNIT_BIN) $(UNIT_PY)

spec: $(BUILD)/.deps-test $(BUILD)/moonline $(BUILD)/tools/rows ## the Lua tests of tests/spec
	@$(RUNNER) $(SPECS)

scenario: $(BUILD)/.deps-test $(BUILD)/moonline $(TOOL_BIN) ## the binary from outside: tests/scenario
	@$(RUNNER) $(SCENES)

browser: $(BUILD)/browser/.there $(BUILD)/moonline ## the page in Debian's Chromium: tests/browser
	@$(RUNNER) $(BROWSER)

sdk: $(BUILD)/sdk/.there $(BUILD)/moonline ## the official Node SDK against the emulator: tests/sdk
	@$(RUNNER) $(SDKS)

# What drives the browser, and the SDK, come from the npm registry, into build/ and nowhere else.
$(BUILD)/browser/.there $(BUILD)/sdk/.there: $(BUILD)/%/.there: tests/%/package.json tests/%/package-lock.json $(BUILD)/.deps-browser
	@mkdir -p $(@D)
	$(call say,NPM,$(@D))cp tests/$*/package.json tests/$*/package-lock.json $(@D) && \
	    npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && touch $@

asan: ## unit and scenario tests under AddressSanitizer and UBSan (build/asan)
	@build-aux/deps build asan test
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SAN=1 test

fuzz: ## fuzz every target of tests/fuzz for FUZZ_SECONDS in all (60)
	@build-aux/deps build fuzz test
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=$(CLANG) SAN=1 fuzz-here

torture: $(BUILD)/.deps-test $(BUILD)/moonline $(TORTURE_BIN) $(TOOL_BIN) ## failing allocations at the C/Lua border
	@TEST_SECONDS=240 $(RUNNER) --timeout 600 $(TORTURE_BIN)

soak: $(BUILD)/.deps-test $(BUILD)/moonline $(TOOL_BIN) ## ten minutes of load, kills and reloads, memory watched (SOAK_MINUTES)
	@MOONLINE=$(BUILD)/moonline BUILD=$(BUILD) $(PYTHON) tests/bench/soak.py

bench: $(BUILD)/moonline $(TOOL_BIN) $(BENCH_BIN) ## the figures, beside bare libraries in the same run (BENCH=--quick)
	@MOONLINE=$(BUILD)/moonline BUILD=$(BUILD) $(PYTHON) tests/bench/run.py

# ---- checking ----

check: $(BUILD)/.deps-test ## floors of includes, banned calls, linters, warnings as errors
	@build-aux/deps build test check
	@BUILD=$(BUILD) MAKE='$(MAKE)' PYTHON='$(PYTHON)' build-aux/check

# ---- installing ----

BIN_DIR = $(DESTDIR)$(PREFIX)/bin
DOC_DIR = $(DESTDIR)$(PREFIX)/share/doc/moonline
EXAMPLE_DIR = $(DESTDIR)$(PREFIX)/share/moonline/examples
TYPE_DIR = $(DESTDIR)$(PREFIX)/share/moonline/types

install: $(BUILD)/moonline ## into PREFIX (/usr/local), below DESTDIR: binary, examples, documents, editor types
	install -d $(BIN_DIR) $(DOC_DIR)/reference $(DOC_DIR)/guide $(EXAMPLE_DIR) $(TYPE_DIR)
	install -m 755 $(BUILD)/moonline $(BIN_DIR)/moonline
	install -m 644 $(wildcard README.md CHANGELOG.md LICENSE) $(DOC_DIR)
	install -m 644 docs/reference/*.md $(DOC_DIR)/reference
	install -m 644 docs/guide/*.md $(DOC_DIR)/guide
	install -m 644 scripts/types/*.lua $(TYPE_DIR)
	cp -R examples/. $(EXAMPLE_DIR)/
	sed 's|"../scripts/types"|"../types"|' examples/.luarc.json >$(EXAMPLE_DIR)/.luarc.json

uninstall: ## take away what install put there
	rm -f $(BIN_DIR)/moonline
	rm -rf $(DOC_DIR) $(DESTDIR)$(PREFIX)/share/moonline

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

FORCE:
.PHONY: FORCE all everything deps run reference test unit spec scenario browser asan fuzz fuzz-here torture soak bench check install \
        uninstall clean help
.SECONDARY:

-include $(wildcard $(BUILD)/*/*/*.d $(BUILD)/*/*.d)

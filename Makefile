# Everything is built, checked and run from here; there is no configure step. `make help` lists the
# goals. A variant (release, debug, asan, tsan, gcc, clang, fuzz) is one set of flags with its own
# objects under build/VARIANT, so that variants never rebuild each other.
#
#   make                     build/proxyd
#   make V=1                 show the commands
#   make BUILD=/some/where   build elsewhere
#   make objects FILES='proxyd/http/*.c'   compile only these (a half-written tree)

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)
PYTHON ?= /usr/bin/python3
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-7s %s\n')

VERSION := $(shell cat VERSION 2>/dev/null || echo 0)

# ---------------------------------------------------------------- flags
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
        -Wwrite-strings -Werror
LANGUAGE := -std=c17 -D_GNU_SOURCE -Iproxyd -I. -DPROXYD_VERSION='"$(VERSION)"'
HARDEN := -fstack-protector-strong -fPIE
FORTIFY := -D_FORTIFY_SOURCE=2
LINK_HARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed

# pkg-config where it knows the library, the plain name where it does not.
lib = $(shell pkg-config --$(1) $(2) 2>/dev/null || echo $(3))
# Asked when first needed, and once: pkg-config would be a fifth of a `make` that has nothing to do.
once = $(if $($(1)_known),,$(eval $(1)_found := $($(1)_ask))$(eval $(1)_known := 1))$($(1)_found)
LIB_CFLAGS_ask = $(call lib,cflags,libcares libmicrohttpd libpcre2-8 libidn2 zlib libarchive libcrypto jansson libcrypt duktape)
LIBS_ask = $(call lib,libs,libcares,-lcares) $(call lib,libs,libmicrohttpd,-lmicrohttpd) \
           $(call lib,libs,libpcre2-8,-lpcre2-8) $(call lib,libs,libidn2,-lidn2) -lhs \
           $(call lib,libs,libarchive,-larchive) $(call lib,libs,zlib,-lz) $(call lib,libs,libcrypto,-lcrypto) \
           $(call lib,libs,jansson,-ljansson) \
           $(call lib,libs,libcrypt,-lcrypt) $(call lib,libs,duktape,-lduktape) -lpthread
TEST_LIBS_ask = $(call lib,libs,cmocka,-lcmocka)
LIB_CFLAGS = $(call once,LIB_CFLAGS)
LIBS = $(call once,LIBS)
TEST_LIBS = $(call once,TEST_LIBS)

VARIANTS := release debug asan tsan gcc clang fuzz
CC_release := $(CC)
CC_debug := $(CC)
CC_asan := $(CLANG)
CC_tsan := $(CLANG)
CC_gcc := gcc
CC_clang := clang
CC_fuzz := $(CLANG)
CFLAGS_release := -O2 -g $(FORTIFY)
CFLAGS_debug := -Og -g3 -DPROXYD_DEBUG
# -g1: the lines that a report names, not the variables that it does not; a fifth less to compile.
CFLAGS_asan := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined \
               -fno-sanitize-recover=undefined -DPROXYD_DEBUG
CFLAGS_tsan := -O1 -g1 -fno-omit-frame-pointer -fsanitize=thread -DPROXYD_DEBUG
CFLAGS_gcc := -O2 -g $(FORTIFY)
CFLAGS_clang := -O2 -g $(FORTIFY)
CFLAGS_fuzz := -O1 -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
               -fno-sanitize-recover=undefined -DPROXYD_DEBUG
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
# For the hundred programs of tests: a third of the time. What is installed has the usual linker.
LLD_ask = $(if $(shell command -v ld.lld),-fuse-ld=lld)
LLD = $(call once,LLD)

# ---------------------------------------------------------------- sources
SOURCES := $(sort $(wildcard proxyd/*.c proxyd/*/*.c proxyd/*/*/*.c filters/*.c policy/*.c pac/*.c admin/*.c))
MAIN := proxyd/main.c
TEMPLATES := $(sort $(wildcard $(foreach e,html css txt,admin/*.$e proxyd/*/*.$e proxyd/*/*/*.$e)))
PAC_SCRIPTS := $(sort $(wildcard pac/*.js))
UNITS := $(sort $(wildcard tests/unit/test_*.c tests/unit/*/test_*.c tests/unit/*/*/test_*.c))
# Their folders, each of which is one program: BUILD/VARIANT/units/http, units/core-conn. What lies in
# tests/unit itself, as the proxyd/*.c that it tests lie above the folders, is units/top.
UNIT_FOLDERS := $(sort $(patsubst %/,%,$(patsubst tests/unit/%,%,$(dir $(filter-out tests/unit/test_%,$(UNITS))))) top)
unit_files = $(wildcard tests/unit/$(if $(filter top,$(1)),,$(1)/)test_*.c)
UNIT_MAIN := tests/unit/main.c
FUZZERS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
# Anything else in tests/unit and tests/fuzz is a helper that every test there may call.
UNIT_HELP := tests/xor_stream.c $(filter-out $(UNITS) $(UNIT_MAIN),$(sort $(wildcard tests/unit/*.c tests/unit/*/*.c)))
# A test file is written as a program; in its folder's its main has another name: tests/unit/group.h.
UNIT_FLAGS = -include tests/unit/group.h -Dmain=main_of_$(basename $(notdir $<))
# Unit programs can refuse memory: tests/unit/help_memory.h.
UNIT_WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=mmap
FUZZ_HELP := $(filter-out $(FUZZERS),$(sort $(wildcard tests/fuzz/*.c)))
C_FILES := $(SOURCES) $(UNITS) $(UNIT_MAIN) $(filter-out tests/xor_stream.c,$(UNIT_HELP)) $(FUZZERS) $(FUZZ_HELP) $(wildcard tests/*.c bench/src/*.c bench/micro/*.c)
H_FILES := $(wildcard proxyd/*.h proxyd/*/*.h proxyd/*/*/*.h filters/*.h policy/*.h pac/*.h admin/*.h bench/src/*.h tests/*.h tests/*/*.h \
    tests/*/*/*.h tests/*/*/*/*.h)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help debug documents objects units check smoke mutants durations layers style fuzz fuzz-short test e2e bench asan tsan compilers \
        deps build-tests units-asan units-tsan format format-check lint cppcheck reference install uninstall clean run objects-gcc objects-clang

all: $(BUILD)/proxyd

# ---------------------------------------------------------------- one variant
# In a folder that the build has made, and in no other: what `make clean` may remove whole.
MARKER := $(BUILD)/.proxyd-build
$(MARKER):
	@[ -n "$$(ls -A '$(BUILD)' 2>/dev/null)" ] || { mkdir -p '$(BUILD)' && touch '$@'; }

# $(1): its name. Objects depend on the flags file, so a changed flag rebuilds what it touches.
define variant
flags_$(1) = $$(LANGUAGE) $$(WARN) $$(HARDEN) $$(LIB_CFLAGS) $$(CFLAGS_$(1)) $$(CFLAGS)
LIB_OBJ_$(1) := $$(patsubst %.c,$$(BUILD)/$(1)/%.o,$$(filter-out $$(MAIN),$$(SOURCES)))

$$(BUILD)/$(1)/flags: FORCE | $$(MARKER)
	@mkdir -p $$(@D)
	@printf '%s\n' '$$(CC_$(1)) $$(subst ','"'"',$$(flags_$(1)))' | cmp -s - $$@ || \
	    printf '%s\n' '$$(CC_$(1)) $$(subst ','"'"',$$(flags_$(1)))' > $$@

$$(BUILD)/$(1)/%.o: %.c $$(BUILD)/$(1)/flags
	$$(say) '$$(CC_$(1))' '$$< ($(1))'
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(flags_$(1)) $$(if $$(filter $$<,$$(UNITS)),$$(UNIT_FLAGS)) -MMD -MP -c -o $$@ $$<

# Embedded files (base/embed.h): the assembler reads them, so the compiler's -MMD does not see them.
$$(patsubst %,$$(BUILD)/$(1)/%.o,admin/overview proxyd/core/report/page proxyd/core/exchange/why proxyd/forward/setup): $$(TEMPLATES)
$$(BUILD)/$(1)/pac/script.o $$(BUILD)/$(1)/pac/engine.o: $$(PAC_SCRIPTS)

$$(BUILD)/lib$(1).a: $$(LIB_OBJ_$(1))
	$$(say) AR $$@
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

$$(BUILD)/$(1)/bin/proxyd: $$(BUILD)/$(1)/proxyd/main.o $$(BUILD)/lib$(1).a
	$$(say) LINK $$@
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(filter-out -fsanitize=fuzzer%,$$(LDFLAGS_$(1))) $$(LINK_HARDEN) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)

# proxyd with a layer on both sides that stands in for TLS.
$$(BUILD)/$(1)/bin/xor_proxyd: $$(BUILD)/$(1)/proxyd/main.o $$(BUILD)/$(1)/tests/xor_proxyd.o $$(BUILD)/$(1)/tests/xor_stream.o \
    $$(BUILD)/lib$(1).a
	$$(say) LINK $$@
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(filter-out -fsanitize=fuzzer%,$$(LDFLAGS_$(1))) $$(LINK_HARDEN) $$(LDFLAGS) \
	    -Wl,--wrap=client_accept,--wrap=profile_intern -o $$@ $$^ $$(LIBS)

# What proxyd reads in a list, for the tests.
$$(BUILD)/$(1)/bin/list_read: $$(BUILD)/$(1)/tests/list_read.o $$(BUILD)/lib$(1).a
	$$(say) LINK $$@
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(filter-out -fsanitize=fuzzer%,$$(LDFLAGS_$(1))) $$(LINK_HARDEN) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)

$$(patsubst %.c,$$(BUILD)/$(1)/%.o,$$(UNITS)): tests/unit/group.h
$$(foreach f,$$(UNIT_FOLDERS),$$(eval $$(call unit_program,$(1),$$(f))))

-include $$(patsubst %.c,$$(BUILD)/$(1)/%.d,$$(SOURCES) $$(UNITS) $$(UNIT_HELP) $$(FUZZERS) $$(FUZZ_HELP) $$(wildcard tests/*.c))
endef

# $(1): variant, $(2): folder. Its main is told the files, so it is made anew when there is another one.
define unit_program
$$(BUILD)/$(1)/units/$(subst /,-,$(2)).files: FORCE | $$(MARKER)
	@mkdir -p $$(@D)
	@echo '$$(notdir $$(call unit_files,$(2)))' | cmp -s - $$@ || echo '$$(notdir $$(call unit_files,$(2)))' > $$@

$$(BUILD)/$(1)/units/$(subst /,-,$(2)).o: $$(UNIT_MAIN) $$(BUILD)/$(1)/units/$(subst /,-,$(2)).files $$(BUILD)/$(1)/flags
	$$(Q)$$(CC_$(1)) $$(flags_$(1)) -DUNIT_FILES='$$(patsubst %.c,FILE(%),$$(notdir $$(call unit_files,$(2))))' -c -o $$@ $$<

$$(BUILD)/$(1)/units/$(subst /,-,$(2)): $$(patsubst %.c,$$(BUILD)/$(1)/%.o,$$(call unit_files,$(2)) $$(UNIT_HELP)) \
    $$(BUILD)/$(1)/units/$(subst /,-,$(2)).o $$(BUILD)/lib$(1).a
	$$(say) LINK $$@
	$$(Q)$$(CC_$(1)) $$(LLD) $$(LDFLAGS_$(1)) $$(LINK_HARDEN) $$(UNIT_WRAP) $$(LDFLAGS) -o $$@ $$^ $$(TEST_LIBS) $$(LIBS)
endef
# Phony, for a file that does not exist is not remade where all files are .SECONDARY.
.PHONY: FORCE
# Only the variants that the goals can need: to read the rules of one, and what its objects were made
# of, takes 0.3 s of every make.
goals_release := deps help clean format format-check style lint cppcheck run test check smoke units layers mutants durations e2e documents install
goals_asan := units-asan asan
goals_tsan := units-tsan tsan
goals_fuzz := fuzz fuzz-short
GOALS := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out all $(foreach v,release asan tsan fuzz,$(goals_$(v))),$(GOALS)),)
VARIANTS_READ := $(VARIANTS)
else
VARIANTS_READ := release $(foreach v,asan tsan fuzz,$(if $(filter $(goals_$(v)),$(GOALS)),$(v)))
endif
$(foreach v,$(VARIANTS_READ),$(eval $(call variant,$(v))))

unit_programs = $(patsubst %,$(BUILD)/$(1)/units/%,$(subst /,-,$(UNIT_FOLDERS)))
fuzz_programs := $(patsubst %.c,$(BUILD)/fuzz/%,$(FUZZERS))

$(BUILD)/proxyd: $(BUILD)/release/bin/proxyd
	$(Q)cp -f $< $@

# An archive, so that a fuzzer is only of what it calls: of each try the branches of the whole program
# are looked through, which took a third of the time of a small one.
$(BUILD)/libfuzzhelp.a: $(patsubst %.c,$(BUILD)/fuzz/%.o,$(FUZZ_HELP))
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/tests/fuzz/%: $(BUILD)/fuzz/tests/fuzz/%.o $(BUILD)/libfuzzhelp.a $(BUILD)/libfuzz.a
	$(Q)$(CC_fuzz) $(LLD) $(LDFLAGS_fuzz) -pie -o $@ $^ $(LIBS)

# ---------------------------------------------------------------- what people type
help:
	@sed -n 's/^## \{0,1\}//p' Makefile

## make                build build/proxyd, optimised
## make run            install what is missing, build, start with the built-in configuration
##                     or with another one: CONFIG=proxyd.conf
## make test           everything: units, layers, fuzzing, end to end, sanitizers
## make check          the quick part of it: units, layers and a smoke of the end-to-end tests
## make e2e            the end-to-end tests (E2E='tests/e2e/test_010_readme.py -x' for some)
## make layers         includes and calls point down, the core knows no direction
## make fuzz           fuzz without end (TARGET=name for one); fuzz-short: two minutes of a core
## make bench          the table against the installed peers and the floors
## make asan, tsan     build with sanitizers and run the end-to-end tests on it
## make mutants        does a test die with each lie put into the code? (tests/mutants/README.md)
## make durations      note what the last runs took; the longest file is begun first
## make debug          build/debug/bin/proxyd, with assertions
## make compilers      warnings are errors, gcc and clang
## make format lint    clang-format; clang-format check, clang-tidy, cppcheck: clean before a commit
## make reference      write docs/reference.md anew; documents: is it current, has each key a test,
##                     do links lead somewhere?
## make install        PREFIX=/usr/local SYSCONFDIR=/etc DESTDIR=; with unit, manual, completion and an
##                     example to start from; uninstall takes it away again
## make deps           install the Debian packages that are missing (SECTIONS="build test lint bench")
## make clean          remove what was built

debug: $(BUILD)/debug/bin/proxyd

objects: $(patsubst %.c,$(BUILD)/release/%.o,$(wildcard $(or $(FILES),$(SOURCES))))

units: $(call unit_programs,release)
	$(Q)BUILD=$(BUILD) tests/run.sh units release $^

units-asan: $(call unit_programs,asan)
	$(Q)BUILD=$(BUILD) tests/run.sh units asan $^

units-tsan: $(call unit_programs,tsan)
	$(Q)BUILD=$(BUILD) tests/run.sh units tsan $^

check:
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all $(call unit_programs,release)
	$(Q)$(MAKE) --no-print-directory units layers smoke

smoke: $(BUILD)/proxyd
	$(Q)BUILD=$(BUILD) PYTHON=$(PYTHON) JOBS=$(JOBS) tests/run.sh smoke

run:
	$(Q)$(MAKE) --no-print-directory deps SECTIONS=build
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all
	$(Q)exec $(BUILD)/proxyd run $(if $(CONFIG),-c $(CONFIG))

# Only base, io, http and core: the engine has to link and work without any direction.
CORE_OBJ := $(patsubst %.c,$(BUILD)/release/%.o,$(wildcard proxyd/base/*.c proxyd/io/*.c proxyd/http/*.c proxyd/core/*.c proxyd/core/*/*.c))
$(BUILD)/release/bin/echo_role: $(BUILD)/release/tests/echo_role.o $(CORE_OBJ)
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK_HARDEN) -o $@ $^ $(call lib,libs,libcares,-lcares) $(call lib,libs,libidn2,-lidn2) \
	    $(call lib,libs,libcrypto,-lcrypto) \
           $(call lib,libs,jansson,-ljansson) -lpthread

layers: $(BUILD)/release/bin/echo_role | $(BUILD)/release/bin/proxyd
	$(Q)BUILD=$(BUILD) tests/run.sh layers $<

# The manual is current, and every key of the schema has a test that fails when it is ignored.
documents: $(BUILD)/proxyd
	$(Q)BUILD=$(BUILD) tests/run.sh documents

fuzz-short: $(fuzz_programs)
	$(Q)BUILD=$(BUILD) tests/run.sh fuzz short $^

fuzz: $(if $(TARGET),$(BUILD)/fuzz/tests/fuzz/fuzz_$(TARGET),$(fuzz_programs))
	$(Q)BUILD=$(BUILD) tests/run.sh fuzz 0 $^

e2e: $(BUILD)/proxyd $(BUILD)/release/bin/xor_proxyd $(BUILD)/release/bin/list_read
	$(Q)BUILD=$(BUILD) PYTHON=$(PYTHON) tests/run.sh e2e release $(E2E)

asan: $(BUILD)/asan/bin/proxyd $(BUILD)/asan/bin/xor_proxyd $(BUILD)/asan/bin/list_read
	$(Q)BUILD=$(BUILD) PYTHON=$(PYTHON) tests/run.sh e2e asan $(E2E)

tsan: $(BUILD)/tsan/bin/proxyd $(BUILD)/tsan/bin/xor_proxyd
	$(Q)BUILD=$(BUILD) PYTHON=$(PYTHON) tests/run.sh e2e tsan $(E2E)

mutants:
	$(Q)BUILD=$(BUILD) $(PYTHON) -B tests/mutants/run.py $(MUTANTS)

durations:
	$(Q)$(PYTHON) -B tests/durations.py $(BUILD)/results

# What `make test` runs, built beforehand in one parallel go.
build-tests: $(foreach v,release asan tsan,$(call unit_programs,$(v))) $(fuzz_programs) \
    $(foreach v,release asan tsan,$(BUILD)/$(v)/bin/xor_proxyd) \
    $(foreach v,release asan,$(BUILD)/$(v)/bin/list_read) $(BUILD)/asan/bin/proxyd $(BUILD)/tsan/bin/proxyd $(if $(wildcard tests/echo_role.c),$(BUILD)/release/bin/echo_role)

test: | $(MARKER)
	$(Q)$(MAKE) --no-print-directory deps SECTIONS="build test"
	$(Q)BUILD=$(BUILD) PYTHON=$(PYTHON) JOBS=$(JOBS) MAKE="$(MAKE)" tests/run.sh all

# The builds that the tests need anyway, when they are made by these compilers.
GCC_BUILD := $(if $(filter gcc,$(notdir $(CC_release))),release,gcc)
CLANG_BUILD := $(if $(filter clang,$(notdir $(CC_asan))),asan,clang)
compilers:
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) objects-gcc objects-clang
	@echo 'compilers: gcc and clang, no warning'
objects-gcc: $(BUILD)/$(GCC_BUILD)/bin/proxyd $(patsubst %.c,$(BUILD)/$(GCC_BUILD)/%.o,$(UNITS) $(UNIT_HELP) $(wildcard tests/*.c))
objects-clang: $(BUILD)/$(CLANG_BUILD)/bin/proxyd $(patsubst %.c,$(BUILD)/$(CLANG_BUILD)/%.o,$(UNITS) $(UNIT_HELP) $(wildcard tests/*.c)) \
    $(patsubst %.c,$(BUILD)/fuzz/%.o,$(FUZZERS) $(FUZZ_HELP))

bench: $(BUILD)/proxyd
	$(Q)PROXYD=$(abspath $(BUILD)/proxyd) bench/table $(BENCH)

SECTIONS := build test
deps:
	$(Q)tools/deps.sh $(SECTIONS)

# ---------------------------------------------------------------- looks
format:
	$(Q)clang-format -i $(C_FILES) $(H_FILES)

format-check:
	$(Q)clang-format --dry-run -Werror $(C_FILES) $(H_FILES)

style:
	$(Q)LC_ALL=C awk -f tests/style.awk $(SOURCES) $(wildcard bench/*/*.c) $(H_FILES)

lint: style format-check
	$(Q)JOBS=$(JOBS) tools/lint.sh all $(SOURCES)

cppcheck:
	$(Q)JOBS=$(JOBS) tools/lint.sh cppcheck $(SOURCES)

reference: $(BUILD)/proxyd
	$(Q)$(BUILD)/proxyd reference > docs/reference.md

# ---------------------------------------------------------------- putting it in place
SYSCONFDIR ?= /etc
CONFDIR := $(SYSCONFDIR)/proxyd
DOCDIR := $(PREFIX)/share/doc/proxyd
MADE := $(BUILD)/share

# MODE SOURCE TARGET, one a word; `make uninstall` takes the same ones away.
INSTALLED = 755:$(BUILD)/proxyd:$(PREFIX)/bin/proxyd \
    644:$(MADE)/proxyd.service:$(PREFIX)/lib/systemd/system/proxyd.service \
    644:$(MADE)/proxyd-nft.service:$(PREFIX)/lib/systemd/system/proxyd-nft.service \
    644:$(MADE)/proxyd.8:$(PREFIX)/share/man/man8/proxyd.8 \
    644:$(MADE)/proxyd.conf.5:$(PREFIX)/share/man/man5/proxyd.conf.5 \
    644:$(MADE)/proxyd.bash:$(PREFIX)/share/bash-completion/completions/proxyd \
    644:$(MADE)/proxyd.zsh:$(PREFIX)/share/zsh/site-functions/_proxyd \
    644:$(MADE)/proxyd.fish:$(PREFIX)/share/fish/vendor_completions.d/proxyd.fish \
    644:service/sysusers.conf:$(PREFIX)/lib/sysusers.d/proxyd.conf \
    644:service/tmpfiles.conf:$(PREFIX)/lib/tmpfiles.d/proxyd.conf \
    644:service/office.conf:$(DOCDIR)/examples/office.conf \
    644:service/network.conf:$(DOCDIR)/examples/network.conf \
    644:service/lists/blocked.txt:$(DOCDIR)/examples/lists/blocked.txt \
    644:README.md:$(DOCDIR)/README.md \
    $(foreach d,$(wildcard docs/*.md),644:$(d):$(DOCDIR)/$(d))
# An administrator's once they are there: never overwritten, and taken away only as they came.
INSTALLED_ONCE = 644:service/office.conf:$(CONFDIR)/proxyd.conf \
    644:service/lists/blocked.txt:$(CONFDIR)/lists/blocked.txt \
    644:service/logrotate.conf:$(SYSCONFDIR)/logrotate.d/proxyd

$(MADE)/%.service: service/%.service.in FORCE
	@mkdir -p $(@D)
	$(Q)sed -e 's|@BINDIR@|$(PREFIX)/bin|' -e 's|@CONFDIR@|$(CONFDIR)|' $< > $@

# The manual and the completions, as the program knows itself.
$(MADE)/proxyd.8: $(BUILD)/proxyd
	@mkdir -p $(@D)
	$(Q)$< help --man > $@
$(MADE)/proxyd.conf.5: $(BUILD)/proxyd
	@mkdir -p $(@D)
	$(Q)$< reference --man > $@
$(MADE)/proxyd.%: $(BUILD)/proxyd
	@mkdir -p $(@D)
	$(Q)$< help --completion $* > $@

of_file = $(word $(2),$(subst :, ,$(1)))
install: $(BUILD)/proxyd $(addprefix $(MADE)/proxyd,.service -nft.service .8 .conf.5 .bash .zsh .fish)
	$(Q)set -e; $(foreach f,$(INSTALLED),install -D -m $(call of_file,$(f),1) $(call of_file,$(f),2) '$(DESTDIR)$(call of_file,$(f),3)';)
	$(Q)set -e; $(foreach f,$(INSTALLED_ONCE),[ -e '$(DESTDIR)$(call of_file,$(f),3)' ] || \
	    install -D -m $(call of_file,$(f),1) $(call of_file,$(f),2) '$(DESTDIR)$(call of_file,$(f),3)';)
	@echo 'installed in $(DESTDIR)$(PREFIX), the configuration in $(DESTDIR)$(CONFDIR)'
	@$(if $(DESTDIR),:,echo 'as a service: systemd-sysusers; systemctl daemon-reload; systemctl enable --now proxyd')

uninstall:
	$(Q)rm -f $(foreach f,$(INSTALLED),'$(DESTDIR)$(call of_file,$(f),3)')
	$(Q)$(foreach f,$(INSTALLED_ONCE),if cmp -s $(call of_file,$(f),2) '$(DESTDIR)$(call of_file,$(f),3)'; then \
	    rm -f '$(DESTDIR)$(call of_file,$(f),3)'; elif [ -e '$(DESTDIR)$(call of_file,$(f),3)' ]; then \
	    echo 'left, because it was changed: $(DESTDIR)$(call of_file,$(f),3)'; fi;)
	$(Q)rmdir $(addprefix $(DESTDIR),$(DOCDIR)/examples/lists $(DOCDIR)/examples $(DOCDIR)/docs $(DOCDIR) $(CONFDIR)/lists $(CONFDIR)) 2>/dev/null || true

clean:
	$(Q)if [ -e '$(BUILD)' ] && [ ! -e '$(MARKER)' ]; then \
	    echo "clean: $(BUILD) was not made by this build (no $(notdir $(MARKER)) in it), so it stays" >&2; exit 1; fi
	rm -rf '$(BUILD)'
	$(Q)$(MAKE) --no-print-directory -s -C bench/src clean

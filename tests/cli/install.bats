#!/usr/bin/env bats
# make install and make uninstall.
bats_require_minimum_version 1.5.0
load helper

@test "install brings the program, its manual and completions; uninstall leaves nothing" {
    root=$(realpath "$BATS_TEST_DIRNAME/../..")
    command -v meson >/dev/null || skip "no meson here"
    [ -e "$root/build/build.ninja" ] || skip "built elsewhere than in build"
    mkdir "$BATS_TEST_TMPDIR/to"
    make -s -C "$root" install DESTDIR="$BATS_TEST_TMPDIR/to" >log 2>&1 || { tail -20 log; return 1; }
    cd "$BATS_TEST_TMPDIR/to"
    prefix=.$(meson introspect --buildoptions "$root/build" | jq -r '.[] | select(.name == "prefix").value')
    run -0 "$prefix/bin/varve" version
    for file in man/man1/varve.1 bash-completion/completions/varve zsh/site-functions/_varve fish/vendor_completions.d/varve.fish; do
        [ -s "$prefix/share/$file" ] || { find .; return 1; }
    done
    cmp "$prefix/share/zsh/site-functions/_varve" <("$prefix/bin/varve" completion zsh)
    # What others have put beside it stays.
    touch "$prefix/share/zsh/site-functions/_other"
    make -s -C "$root" uninstall DESTDIR="$BATS_TEST_TMPDIR/to"
    [ "$(find . -type f -o -type l)" = "$prefix/share/zsh/site-functions/_other" ]
    rm "$prefix/share/zsh/site-functions/_other"
    make -s -C "$root" install DESTDIR="$BATS_TEST_TMPDIR/to" >log 2>&1
    rm -f log
    make -s -C "$root" uninstall DESTDIR="$BATS_TEST_TMPDIR/to"
    [ -z "$(find . -mindepth 1)" ] || { find .; return 1; }
    # Once more is no error.
    make -s -C "$root" uninstall DESTDIR="$BATS_TEST_TMPDIR/to"
}

@test "the Dockerfile of varve's own image installs every library that compiling needs" {
    root=$BATS_TEST_DIRNAME/../..
    packages=$(sed -n "/^build='/,/'\$/p" "$root/tests/testbed/packages.sh" | tr " '" '\n\n' | sed -n 's/^\([^|]*\)-dev.*/\1/p')
    [ "$(wc -w <<<"$packages")" -ge 14 ]
    for library in $packages; do
        grep -q "for l in.* $library[ ;]" "$root/deploy/image/Dockerfile" || { echo "$library is not there"; return 1; }
    done
}

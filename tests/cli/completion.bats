#!/usr/bin/env bats
# varve completion: what it offers, and what real shells make of it.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile
    VARVE_ROOT=$SEED "$VARVE" build -q -t app:1 -t other.example/team/thing:2 . >/dev/null
}

setup() {
    export VARVE_ROOT=$SEED NO_COLOR=1 LC_ALL=C.UTF-8
    cd "$BATS_TEST_TMPDIR" || return 1
    # A varve that answers the shell, and else writes down its words.
    mkdir bin
    cat >bin/varve <<END
#!/bin/bash
[ "\$1" != completion ] || exec "$(realpath "$VARVE")" "\$@"
printf '%s\n' "\$*" >>"$BATS_TEST_TMPDIR/got"
END
    chmod +x bin/varve
    export PATH=$BATS_TEST_TMPDIR/bin:$PATH HOME=$BATS_TEST_TMPDIR
    mkdir -p folder/within && touch folder/file image.tar
}

# offers WORD…: the candidates for the last of these words, on a line.
offers() { "$VARVE" completion candidates -- "$@" | cut -f1 | tr '\n' ' '; }

@test "commands come with what they do, options with their help" {
    [ "$(offers bu)" = "build " ]
    [ "$("$VARVE" completion candidates -- ima)" = $'images\tlist the images in the store' ]
    [ "$(offers help pru)" = "prune " ]
    [ "$(offers --v)" = "--version " ]
    [ "$(offers images --dig)" = "--digests " ]
    [[ "$("$VARVE" completion candidates -- rmi --fo)" == $'--force\tremove all names '* ]]
    for c in $("$VARVE" --help | sed -n '/^commands:/,/^$/p' | awk '/^  / {print $1}'); do
        [[ " $(offers '')" == *" $c "* ]]
        [ "$(offers "$c" -- | tr -d '\n')" = "$({ "$VARVE" "$c" --help | grep -oE '^  (-.|  )[, ] --[a-z-]+' | grep -oE -- '--[a-z-]+$'; echo --help; } | tr '\n' ' ')" ] || { echo "$c"; return 1; }
    done
}

@test "values of options are offered as the option takes them" {
    [ "$(offers build --progress p)" = "plain " ]
    [ "$(offers build --progress=p)" = "--progress=plain " ]
    [ "$(offers images --format '')" = "table json " ]
    [ "$(offers parse --format=)" = "--format=json --format=text --format=dot --format=graph-json " ]
    [ "$(offers build --push=f)" = "" ]
    [ "$(offers save -o '')" = ":files " ]
    [ "$(offers build -f '')" = ":files " ]
    [ "$(offers build --file=x)" = ":files " ]
    [ "$(offers build --iidfile '')" = ":files " ]
    [ "$(offers --root '')" = ":dirs " ]
    [ "$(offers run --memory '')" = "" ]
}

@test "arguments are images, runs, builds, files or folders, as the command takes them" {
    both="other.example/team/thing:2 app:1 "
    for c in run inspect layers rmi push save tag images; do
        [ "$(offers $c '')" = "$both" ] || { echo "$c: $(offers $c '')"; return 1; }
    done
    [ "$(offers history '')" = "1 $both" ]
    [ "$(offers rmi app:1 oth)" = "other.example/team/thing:2 " ]
    [ "$(offers run -it --name x app)" = "app:1 " ]
    [ "$(offers run -w /x app)" = "app:1 " ]
    [ "$(offers run --workdir=/x app)" = "app:1 " ]
    [ "$(offers tag app:1 '')" = "" ]
    [ "$(offers image rm app)" = "app:1 " ]
    [ "$(offers inspect -- app)" = "app:1 " ]
    [ "$(offers build '')" = ":dirs " ]
    [ "$(offers load '')" = ":files " ]
    [ "$(offers completion '')" = "bash zsh fish " ]
    [ "$(offers cache '')" = "ls prune verify copy " ]
    [ "$(offers cache prune --keep 1d '')" = ":dirs " ]
    [ "$(offers cache ls --format j)" = "json " ]
    # What follows the image is the program's.
    [ "$(offers run app:1 '')" = "" ]
    [ "$(offers run app:1 --v)" = "" ]
    [ "$(offers --root "$BATS_TEST_TMPDIR/none" run '')" = "" ]
    [ ! -e none ]
    [ "$(VARVE_ROOT=none offers --root="$SEED" run ap)" = "app:1 " ]
}

@test "runs are offered by name, those that have ended where that makes sense" {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store
    mkdir "$VARVE_ROOT.ctx"
    printf 'FROM busybox\n' >"$VARVE_ROOT.ctx/Dockerfile"
    build -q -t busy:1 "$VARVE_ROOT.ctx" >/dev/null
    "$VARVE" run -d --name ended busy:1 true
    "$VARVE" wait ended
    "$VARVE" run -d --name web busy:1 sleep 1000
    for c in stop kill exec; do [ "$(offers $c '')" = "web " ]; done
    for c in rm wait; do [ "$(offers $c '')" = "web ended " ]; done
    [[ "$(offers logs '')" == *"web ended "* ]]
    "$VARVE" kill web
    "$VARVE" wait web || true
}

@test "anything at all is asked without a crash or a word on stderr" {
    run --separate-stderr "$VARVE" completion candidates -- nothing --at=all ''
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    for words in "build --" "build =" "build --=" "run -" "build --nothing=x" "help" "-- x" "--root" "--root= run" "build -f"; do
        # shellcheck disable=SC2086
        run --separate-stderr "$VARVE" completion candidates -- $words
        [ "$status" -eq 0 ] || { echo "$words: $status"; return 1; }
        [ -z "$stderr" ]
    done
    run "$VARVE" completion candidates --
    [ "$status" -eq 2 ]
    run --separate-stderr "$VARVE" completion tcsh
    [ "$status" -eq 2 ]
    [[ "$stderr" == *"tcsh is not bash, zsh or fish"*"next: "* ]]
}

# typed TEXT…: types into $shell and shows the words that varve got; a tab completes.
typed() {
    rm -f got
    "$BATS_TEST_DIRNAME/typed.py" "$@" -- "${shell[@]}" >shown || { cat shown; return 1; }
    sed 's,/$,,' got || { cat shown; return 1; } # zsh drops a completed folder's slash at the end of the line
}

# typed_as WORDS TEXT: what varve got.
typed_as() {
    local got
    got=$(typed "$2") || { echo "$got"; return 1; }
    [ "$got" = "$1" ] || { printf "%q: %s\n" "$2" "$got"; cat shown; return 1; }
}

# What all three shells must make of the same keys.
completes() {
    typed_as "images --digests" $'varve imag\t--dig\t'
    typed_as "run app:1" $'varve run ap\t'
    typed_as "run app:1" $'varve run app:\t'
    typed_as "inspect other.example/team/thing:2 app:1" $'varve inspect other.example/team/thi\tapp\t'
    typed_as "build --progress plain ." $'varve build --progress pl\t.'
    typed_as "parse --format=graph-json" $'varve parse --format=gr\t'
    typed_as "build folder/within" $'varve build fol\twith\t'
    typed_as "load image.tar" $'varve load ima\t'
    typed_as "build --file=folder/file ." $'varve build --file=folder/fi\t.'
    typed_as "run -e A=b c -v folder:/x app:1" $'varve run -e "A=b c" -v folder:/x ap\t'
    typed_as "--root $BATS_TEST_TMPDIR/none run ap" $'varve --root '"$BATS_TEST_TMPDIR"$'/none run ap\t'
}

@test "bash completes" {
    "$VARVE" completion bash >script
    printf 'PS1="READY> "\nbind "set enable-bracketed-paste off"\nbind "set bell-style none"\n. %q\n' "$PWD/script" >rc
    shell=(bash --noprofile --rcfile "$PWD/rc" -i)
    completes
    # Without : and = among the breaks of words too.
    printf 'COMP_WORDBREAKS=${COMP_WORDBREAKS//[:=]/}\n' >>rc
    completes
}

@test "zsh completes" {
    command -v zsh >/dev/null || skip "no zsh here"
    mkdir functions
    "$VARVE" completion zsh >functions/_varve
    printf 'PROMPT="READY> "\nunsetopt prompt_cr prompt_sp zle_bracketed_paste 2>/dev/null\nunset zle_bracketed_paste\nfpath=(%q $fpath)\nautoload -Uz compinit && compinit -u -D\n' "$PWD/functions" >.zshrc
    shell=(env ZDOTDIR="$PWD" TERM=dumb zsh -i)
    completes
}

@test "fish completes" {
    command -v fish >/dev/null || skip "no fish here"
    "$VARVE" completion fish >script
    # What fish would offer for a command line, without what it is about.
    asked() { fish --no-config -c 'source script; complete -C $argv[1]' -- "$1" | cut -f1 | tr '\n' ' '; }
    [ "$(asked 'varve imag')" = "images " ]
    [ "$(fish --no-config -c 'source script; complete -C "varve imag"')" = $'images\tlist the images in the store' ]
    [ "$(asked 'varve images --dig')" = "--digests " ]
    [ "$(asked 'varve run app:')" = "app:1 " ]
    [ "$(asked 'varve run ')" = "app:1 other.example/team/thing:2 " ]
    [ "$(asked 'varve build --progress pl')" = "plain " ]
    [ "$(asked 'varve parse --format=gr')" = "--format=graph-json " ]
    [ "$(asked 'varve build fol')" = "folder/ " ]
    [ "$(asked 'varve load ima')" = "image.tar " ]
    [ "$(asked 'varve build --file=folder/fi')" = "--file=folder/file " ]
    [ "$(asked 'varve run -e "A=b c" -v folder:/x ap')" = "app:1 " ]
    [ "$(asked 'varve run app:1 ')" = "" ]
}

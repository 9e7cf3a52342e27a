#!/usr/bin/env bats
# References that were made to do harm: a build with one is a normal build, within little time and memory.
bats_require_minimum_version 1.5.0
load robust
setup_file() { base_setup; }

# from KIND: a build with that reference; it must run its step.
from() {
    python3 "$FAULTS/cachehostile.py" "$1" "../$1"
    printf 'FROM busybox\nRUN echo %s >/f\n' "$1" >Dockerfile
    run measured 20 64 "$VARVE" build -t app --progress=plain --build-context "busybox=oci-layout://$BASES/busybox-oci" \
        --cache-from "type=local,src=../$1" .
    [ "$status" -eq 0 ] && [ "$(varve run app cat /f)" = "$1" ] || { echo "$1 ($status): $output" && return 1; }
    rm -rf "../$1"
}
warns() { grep -qF -- "$1" <<<"$output" || { echo "no '$1' in: $output" && return 1; }; }

@test "documents of many, of deep and of long values" {
    command -v zstd >/dev/null || skip "zstd is not installed"
    from arrays
    warns "is not used"
    from deep
    warns "is not used"
    from text
    warns "it has more than 16777216 bytes"
    from zeros
    warns "it has more than 16777216 bytes"
    from unknown
    warns "a value in it is too large"
    from index
    warns "is not used"
    varve fsck
}

@test "references of many segments, and of digests that were chosen to be alike" {
    command -v zstd >/dev/null || skip "zstd is not installed"
    from segments
    warns "was read in part: it holds more than a build reads (1000 segments of 1500)"
    from alike
    warns "was read in part"
    varve fsck
}

@test "loops, numbers at the end of what fits, odd origins" {
    command -v zstd >/dev/null || skip "zstd is not installed"
    from loops
    from numbers
    from origins
    varve fsck
}

# What is said of layers, or of which a record is made, turns out to be wrong at the latest when their files come.
@test "records and layers that are not what they say" {
    command -v zstd >/dev/null || skip "zstd is not installed"
    cat >Dockerfile <<'END'
FROM busybox AS a
RUN echo a >/a && mkdir /da && echo x >/da/x
RUN echo second >/a2 && rm /bin/true
FROM busybox AS b
RUN echo b >/b && echo y >/y
FROM a AS use
COPY n /n
RUN cat /a /a2 /n >/u
FROM busybox
COPY n /n
COPY --from=a /da /out/
COPY --from=b /b /out/b
COPY --from=use /u /u
RUN cat /u /out/b /out/x /n >/all
END
    echo 1 >n
    VARVE_ROOT=$PWD/../first build -q --cache-to type=local,dest=../cache,mode=max .
    echo 2 >n
    for lie in $("$FAULTS/cachelies.py"); do
        rm -rf "$VARVE_ROOT" ../lies
        "$FAULTS/cachelies.py" "$lie" ../cache ../lies
        run build -t app --cache-from type=local,src=../lies,prefer=hit .
        [ "$status" -eq 0 ] && [ "$(varve run app cat /all | tr '\n' ' ')" = "a second 2 b x 2 " ] ||
            { echo "$lie: $output" && return 1; }
        varve fsck || { echo "$lie" && return 1; }
    done
}

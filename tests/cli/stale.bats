#!/usr/bin/env bats
# No stale image: whatever one step can tell another counts. Each test builds one version of a Dockerfile, then another in the same
# store, and looks for the second one's result.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

# made [OPTIONS]: what ends up in /out of the Dockerfile on stdin, after the lines "FROM busybox" and "RUN mkdir /c".
made() {
    { printf 'FROM busybox\nRUN mkdir /c\n'; cat; } >Dockerfile
    rm -rf ../made
    build "$@" -o ../made . >../log 2>&1 || { cat ../log; return 1; }
    cat ../made/out
}

@test "a step that reads a cache mount runs again when a step before it that fills it changed" {
    printf 'RUN --mount=type=cache,target=/c echo 1 > /c/app\nRUN --mount=type=cache,target=/c cp /c/app /out\n' >one
    [ "$(made <one)" = 1 ]
    sed s/1/2/ one >two
    [ "$(made <two)" = 2 ]
    [ "$(made <one)" = 1 ] # what the first build made, though the cache holds the second one's
}

@test "so it is when what fills the cache mount was told by a file or by its environment" {
    printf 'RUN --mount=type=cache,target=/c --mount=type=bind,source=v,target=/v cp /v /c/app\nRUN --mount=type=cache,target=/c cp /c/app /out\n' >df
    echo 1 >v
    [ "$(made <df)" = 1 ]
    echo 2 >v
    [ "$(made <df)" = 2 ]
    printf 'ENV V=1\nRUN --mount=type=cache,target=/c echo $V > /c/app\nENV V=\nRUN --mount=type=cache,target=/c cp /c/app /out\n' >df
    [ "$(made <df)" = 1 ]
    sed -i s/V=1/V=2/ df
    [ "$(made <df)" = 2 ]
}

@test "whatever lies between the two, and however each mounts the cache" {
    local kinds=('sharing=locked sharing=locked' 'sharing=private sharing=private' 'sharing=shared ro' 'id=a,sharing=locked id=a')
    touch f
    for kind in "${kinds[@]}"; do
        printf 'RUN --mount=type=cache,target=/c,%s echo 1 > /c/app\nRUN true\nCOPY f /x/\nRUN rm -r /x\nRUN --mount=type=cache,target=/c,%s cp /c/app /out\n' $kind >df
        [ "$(made <df)" = 1 ]
        sed 's/echo 1/echo 2/' df >next
        [ "$(made <next)" = 2 ] || { echo "$kind"; return 1; }
    done
}

@test "a step of another stage reads a cache mount that a stage before it filled" {
    cat >df <<'END'
FROM busybox AS fill
RUN mkdir /c
RUN --mount=type=cache,target=/c echo 1 > /c/app; echo done > /done
FROM busybox AS copying
RUN mkdir /c
COPY --from=fill /done /done
RUN --mount=type=cache,target=/c cp /c/app /out
FROM busybox AS binding
RUN mkdir /c
RUN --mount=type=bind,from=fill,target=/f --mount=type=cache,target=/c cp /c/app /out
END
    local target
    for target in copying binding; do
        rm -rf ../store
        cp df Dockerfile
        build --target "$target" -o ../made .
        [ "$(cat ../made/out)" = 1 ]
        sed 's/echo 1/echo 2/' df >Dockerfile
        build --target "$target" -o ../made .
        [ "$(cat ../made/out)" = 2 ]
    done
}

@test "through a third step: what it did with one cache mount it left in another" {
    cat >df <<'END'
RUN --mount=type=cache,target=/c,id=a echo 1 > /c/app
RUN --mount=type=cache,target=/c,id=a --mount=type=cache,target=/tmp,id=b cp /c/app /tmp/app
RUN --mount=type=cache,target=/c,id=b cp /c/app /out
END
    [ "$(made <df)" = 1 ]
    sed -i 's/echo 1/echo 2/' df
    [ "$(made <df)" = 2 ]
}

@test "a filling step that --no-cache-filter runs again counts as a changed one" {
    cat >Dockerfile <<'END'
FROM busybox AS fill
RUN mkdir /c
RUN --mount=type=cache,target=/c head -c 8 /dev/urandom | od -An -tx1 > /c/app
FROM fill AS pack
RUN --mount=type=cache,target=/c cp /c/app /out
END
    build -o ../first .
    build -o ../second .
    cmp ../first/out ../second/out
    build --no-cache-filter fill -o ../third .
    run ! cmp ../first/out ../third/out
    build -o ../fourth .
    cmp ../third/out ../fourth/out
}

@test "--explain names the cache mount" {
    printf 'RUN --mount=type=cache,target=/c echo 1 > /c/app\nRUN --mount=type=cache,target=/c cp /c/app /out\n' >df
    made <df
    sed -i 's/echo 1/echo 2/' df
    made --explain <df
    grep -F 'a step before it that writes to its cache mount /c changed' ../log
}

@test "steps that share no cache mount with a changed one are still cut" {
    printf 'RUN --mount=type=cache,target=/c,id=a echo 1 > /c/app\nRUN --mount=type=cache,target=/c,id=b ls /c > /out\nRUN --mount=type=cache,target=/c,id=a,ro ls /c > /x\n' >df
    made <df
    sed -i 's/echo 1/echo 2/' df
    made --explain <df
    run cat ../log
    [[ "$(explained 'ls /c > /out')" == cut* ]] || { echo "$output"; return 1; }
    [[ "$(explained 'ls /c > /x')" == run* ]]
}

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

# differs WHAT A B LOOK: a first step that does A, then B; the second writes what LOOK prints into /out and must see it.
differs() {
    local a b
    printf 'RUN %s\nRUN (%s) > /out\n' "$2" "$4" >df
    a=$(made <df)
    printf 'RUN %s\nRUN (%s) > /out\n' "$3" "$4" >df
    b=$(made <df)
    if [ "$a" = "$b" ]; then echo "$1: stale: $a"; return 1; fi
    made --no-cache <df >../fresh
    [ "$b" = "$(cat ../fresh)" ] || { echo "$1: $b, in an empty store $(cat ../fresh)"; return 1; }
}

@test "whatever a step can leave in the tree, the next one sees" {
    differs 'mode' 'touch /f; chmod 600 /f' 'touch /f; chmod 640 /f' 'stat -c %a /f'
    differs 'setuid bit' 'touch /f; chmod 755 /f' 'touch /f; chmod 4755 /f' 'stat -c %a /f'
    differs 'owner' 'touch /f; chown 1 /f' 'touch /f; chown 2 /f' 'stat -c %u /f'
    differs 'group' 'touch /f; chown 0:1 /f' 'touch /f; chown 0:2 /f' 'stat -c %g /f'
    differs 'mode of an empty directory' 'mkdir -m 700 /f' 'mkdir -m 1777 /f' 'stat -c %a /f'
    differs 'owner of an empty directory' 'mkdir /f; chown 1:1 /f' 'mkdir /f; chown 1:2 /f' 'stat -c %u:%g /f'
    differs 'umask' '(umask 027; touch /f)' '(umask 077; touch /f)' 'stat -c %a /f'
    differs 'mode of the root' 'chmod 755 /' 'chmod 711 /' 'stat -c %a /'
    differs 'link text' 'ln -s a /f' 'ln -s b /f' 'readlink /f'
    differs 'owner of a link' 'ln -s a /f; chown -h 1 /f' 'ln -s a /f; chown -h 2 /f' 'stat -c %u /f'
    differs 'hard links' 'echo x > /f; ln /f /g' 'echo x > /f; echo x > /g' 'test /f -ef /g && echo one || echo two'
    differs 'links to a file below' 'ln /bin/busybox /g' 'cp -p /bin/busybox /g' 'test /bin/busybox -ef /g && echo one || echo two'
    differs 'a fifo' 'mkfifo /f' 'touch /f' 'test -p /f && echo fifo || echo file'
    differs 'a device' 'mknod /f c 1 3' 'mknod /f c 1 5' 'stat -c %t:%T /f'
    differs 'what was removed' 'rm /etc/group' 'rm /etc/passwd' 'ls /etc | tr "\n" " "'
    differs 'a directory made anew' 'touch /etc/x' 'rm -r /etc; mkdir /etc; touch /etc/x' 'ls /etc | tr "\n" " "'
    differs 'content of the same size' 'echo a > /f' 'echo b > /f' 'cat /f'
    differs 'a hole' 'truncate -s 100 /f' 'truncate -s 101 /f' 'stat -c %s /f'
}

# with_program NAME: the host's program and what it is linked with, in the context as root/.
with_program() {
    command -v "$1" >/dev/null || skip "$1 is not here"
    mkdir -p root/bin
    cp "$(command -v "$1")" root/bin/
    ldd "$(command -v "$1")" | grep -o '/[^ ]*' | xargs -I{} cp -L --parents {} root/
}

@test "extended attributes and capabilities of files" {
    with_program setfattr
    with_program setcap
    with_program getfattr
    differs 'xattr' 'true
COPY root /
RUN touch /f; /bin/setfattr -n user.a -v 1 /f' 'true
COPY root /
RUN touch /f; /bin/setfattr -n user.a -v 2 /f' '/bin/getfattr -d /f'
    differs 'capability' 'true
COPY root /
RUN touch /f; /bin/setcap cap_chown=ep /f' 'true
COPY root /
RUN touch /f; /bin/setcap cap_kill=ep /f' '/bin/getfattr -m. -d -e hex /f'
}

@test "times that a step sets" {
    differs 'mtime of a file' 'touch /f; touch -d @1000 /f' 'touch /f; touch -d @2000 /f' 'stat -c %Y /f'
    differs 'mtime of a directory' 'mkdir /d; touch -d @1000 /d' 'mkdir /d; touch -d @2000 /d' 'stat -c %Y /d'
    differs 'mtime of a link' 'ln -s x /l; touch -h -d @1000 /l' 'ln -s x /l; touch -h -d @2000 /l' 'stat -c %Y /l'
    differs 'a time with a fraction' 'touch /f; touch -d "2001-01-01 00:00:00" /f' 'touch /f' '[ /f -nt /bin ] && echo new || echo old'
}

@test "times that an archive brings, with a fraction of a second or without" {
    local time a b
    mkdir -p t/d
    echo a >t/d/f
    ln -s f t/d/l
    printf 'ADD a.tar /w/\nRUN stat -c "%%y %%n" /w/d /w/d/f /w/d/l >/out\n' >df
    for time in '2001-01-01 00:00:00' '2002-01-01 00:00:00' '2002-01-01 00:00:00.5'; do
        touch -h -d "$time" t/d/l t/d/f t/d
        tar --format=posix -cf a.tar -C t d
        b=$(made <df)
        [ "$a" != "$b" ] || { echo "$time: stale: $a"; return 1; }
        a=$b
    done
    made --no-cache <df >../fresh
    [ "$b" = "$(cat ../fresh)" ]
    # The same archive, made anew, is another one only by what it holds.
    touch a.tar
    made --explain <df
    grep -q '^hit ' ../log
    run ! grep -E '^(run|cut) ' ../log
}

# given LOOK OPTIONS OPTIONS: what LOOK prints in a build with the first options and in one with the others; it must see them.
given() {
    local a b
    printf 'RUN (%s) > /out\n' "$1" >df
    a=$(eval "made $2 <df")
    b=$(eval "made $3 <df")
    if [ "$a" = "$b" ]; then echo "$2, $3: stale: $a"; return 1; fi
}

@test "options that a program sees" {
    given 'ulimit -n' '--ulimit nofile=1000:1000' '--ulimit nofile=2000:2000'
    given 'ulimit -n' '--ulimit nofile=1000:1000' ''
    given 'df -k /dev/shm' '--shm-size 1m' '--shm-size 2m'
    given 'hostname' '--build-arg BUILDKIT_SANDBOX_HOSTNAME=a' '--build-arg BUILDKIT_SANDBOX_HOSTNAME=b'
    given 'cat /etc/hosts' '--add-host a:1.2.3.4' '--add-host a:1.2.3.5'
    given 'ls /sys/class/net' '--network none' '--network host --allow network.host'
}

@test "an image has a layer for each step, also over a base of the same content with another number of layers" {
    echo a >a
    local before step file
    for step in 'COPY --link a /w/' 'RUN echo a >/x'; do
        for before in 'RUN true' 'COPY nothing* /'; do
            rm -rf ../store
            printf "FROM busybox\n$step\n" >one
            printf "FROM busybox\n$before\n$step\n" >two
            printf "FROM busybox\n$step\n$before\n$step\n" >three
            for file in one two three; do
                build -f $file -o type=oci,tar=false,dest=../image .
                # The reader counts layers and entries of the history.
                python3 "$BATS_TEST_DIRNAME/../conformance/normalise.py" ../image >../read || { cat $file; return 1; }
            done
        done
    done
}

@test "two equal COPY --link do not slow the steps behind them" {
    mkdir many
    (cd many && seq 2000 | xargs touch)
    echo a >a
    cat >Dockerfile <<'END'
FROM busybox
COPY many /many
COPY --link a /a
RUN rm /a; grep ' / / ' /proc/self/mountinfo >/first || true
COPY --link a /a
RUN cat /a >/got; grep ' / / ' /proc/self/mountinfo >/second || true
RUN grep ' / / ' /proc/self/mountinfo >/third || true
END
    build --progress=plain -o ../out . >../log 2>&1
    [ "$(cat ../out/got)" = a ]
    grep -q ' - overlay ' ../out/first || skip "layers cannot be mounted here"
    grep -q ' - overlay ' ../out/second
    grep -q ' - overlay ' ../out/third
    run ! grep warning: ../log
}

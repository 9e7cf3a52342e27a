#!/usr/bin/env bats
# COPY --link: the layer is made without the base, and put on it so that the base's directories stay what they are.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

# listed PATH…: what the image of the Dockerfile on stdin has there, as "mode owner group path".
listed() {
    { printf 'FROM busybox\n'; cat; printf 'RUN stat -c "%%a %%u %%g %%n" %s >/listed\n' "$*"; } >Dockerfile
    rm -rf ../made
    build -t image --output=type=image --output=../made . >../log 2>&1 || { cat ../log; return 1; }
    cat ../made/listed
}

# copied: the digest of the layer that COPY makes in the Dockerfile on stdin.
copied() {
    { printf 'FROM busybox\n'; cat; } >Dockerfile
    build -q -t image . >/dev/null
    varve layers image | awk '/COPY/ && $1 ~ /^[0-9]+$/ {print $6}'
}

@test "the directories on the way keep mode, owner and link, and an image that is saved has them" {
    echo f >f
    cat >df <<'END'
RUN mkdir -p /usr/lib /var/lib/app /tmp && chmod 1777 /tmp && echo libc >/usr/lib/libc.so && rm -rf /lib && ln -s usr/lib /lib && chown 55:66 /var/lib && chmod 2770 /var/lib
COPY --link f /lib/f
COPY --link f /tmp/f
COPY --link --chown=200:201 f /var/lib/app/f
RUN cat /lib/libc.so /usr/lib/f && test -L /lib
END
    run listed /tmp /var/lib /var/lib/app/f <df
    [ "$status" = 0 ]
    [ "$output" = "1777 0 0 /tmp
2770 55 66 /var/lib
644 200 201 /var/lib/app/f" ]
    build -q -o type=oci,dest=../saved.tar . >/dev/null
    local blob
    tar -xf ../saved.tar -C ..
    for blob in ../blobs/sha256/*; do
        tar -tvf "$blob" 2>/dev/null || true
    done >../all
    grep -E '^drwxrwxrwt 0/0 .* \.?/?tmp/$' ../all
    run ! grep -E '^drwxr-xr-x .* \.?/?tmp/$' ../all
    grep -E ' usr/lib/f$' ../all
    run ! grep -E ' lib/f$' ../all
}

@test "what of the base is used counts, and nothing else" {
    echo f >f
    printf 'RUN mkdir /x && chmod 700 /x\nCOPY --link f /x/y/f\n' >df
    [ "$(listed /x /x/y <df)" = "$(printf '700 0 0 /x\n755 0 0 /x/y')" ]
    sed s/700/711/ df >other
    [ "$(listed /x /x/y <other)" = "$(printf '711 0 0 /x\n755 0 0 /x/y')" ]
    [ "$(listed /x <df)" = '700 0 0 /x' ]
    # Over a base that differs elsewhere the file is not copied again, and the layer is the one that was there.
    sed 's/mkdir/echo >\/more; mkdir/' df | listed /x
    grep -E 'COPY --link f .* cached' ../log
    sed 's/mkdir/echo >\/more; mkdir/' df | copied >new
    [ -s new ] && [ "$(copied <df)" = "$(cat new)" ]
}

@test "a layer that changes no directory of the base is the same on every base" {
    echo f >f
    local one two
    one=$(printf 'COPY --link f /new/f\n' | copied)
    two=$(printf 'RUN mkdir /new && chmod 700 /etc\nCOPY --link f /new/f\n' | copied)
    [ -n "$one" ] && [ "$one" = "$two" ]
}

@test "directories on the way and copied ones are told apart, though they look the same" {
    mkdir -p d/x
    echo f | tee f d/x/f
    touch -d 2020-01-01 f d/x/f
    [ "$(printf 'RUN mkdir /x && chmod 700 /x\nCOPY --link f /x/f\n' | listed /x)" = '700 0 0 /x' ]
    [ "$(printf 'RUN mkdir /x && chmod 700 /x\nCOPY --link d /\n' | listed /x)" = '755 0 0 /x' ]
    [ "$(printf 'RUN mkdir /x && chmod 700 /x\nCOPY --link f /x/f\n' | listed /x)" = '700 0 0 /x' ]
}

@test "a directory that is copied over a symlink replaces it, with a warning" {
    mkdir -p d/lib
    echo f >d/lib/f
    printf 'RUN rm -rf /lib; mkdir -p /usr/lib && ln -s usr/lib /lib\nCOPY --link d /\n' | listed /lib/f
    grep -F -- '--link replaces /lib, a link to usr/lib of the image below, by a directory' ../log
}

@test "a file in the place of a directory is warned of" {
    echo f >f
    printf 'FROM busybox\nRUN mkdir -p /opt/bin\nCOPY --link f /opt/bin\n' >Dockerfile
    build . >../log 2>&1
    grep -F -- '--link replaces /opt/bin, a directory of the image below, by a file; end the destination with a / to copy into that directory' ../log
    printf 'FROM busybox\nRUN mkdir -p /opt/bin\nCOPY --link f /opt/bin/\n' >Dockerfile
    build . >../log 2>&1
    run ! grep -F warning: ../log
}

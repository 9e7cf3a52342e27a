#!/usr/bin/env bats
# Sources on the network and contexts that are no directory: what is asked, what is kept, what is refused.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

setup() {
    export VARVE_ROOT=$BATS_TEST_TMPDIR/store NO_COLOR=1 LC_ALL=C.UTF-8
    export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
    unset SOURCE_DATE_EPOCH DOCKER_HOST BUILDKIT_PROGRESS http_proxy HTTP_PROXY SSH_AUTH_SOCK
    WEB=$BATS_TEST_TMPDIR/web LOG=$BATS_TEST_TMPDIR/requests
    mkdir -p "$BATS_TEST_TMPDIR/ctx" "$WEB"
    : >"$LOG"
    serve
    cd "$BATS_TEST_TMPDIR/ctx" || return 1
}

teardown() { unserve; }

serve() {
    rm -f "$BATS_TEST_TMPDIR/port"
    python3 "$FAULTS/files.py" "$WEB" "$LOG" "$BATS_TEST_TMPDIR/port" 3>&- &
    SERVER=$!
    for _ in $(seq 100); do
        [ ! -e "$BATS_TEST_TMPDIR/port" ] || break
        sleep 0.05
    done
    HOST=127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
}

unserve() {
    [ -z "$SERVER" ] || { kill "$SERVER" && wait "$SERVER" || true; }
    SERVER=
}

# What the builds asked since the last call.
asked() {
    cat "$LOG"
    : >"$LOG"
}

# The file of the last -o out build.
got() { cat "out/$1"; }

repository() { # repository NAME: with the branch main and the tag v1
    git init -q -b main "$BATS_TEST_TMPDIR/$1"
    (
        cd "$BATS_TEST_TMPDIR/$1" || exit 1
        echo one >f
        mkdir sub
        echo s >sub/s
        git add -A
        git commit -qm one
        git tag v1
    )
    git clone -q --bare "$BATS_TEST_TMPDIR/$1" "$WEB/$1.git"
}

commit() { # commit NAME TEXT: a new commit of f on main
    (
        cd "$BATS_TEST_TMPDIR/$1" || exit 1
        echo "$2" >f
        git commit -qam "$2"
        git push -q "$WEB/$1.git" main
    )
}

@test "an unchanged URL is a hit and costs one request; a changed one runs again and says why" {
    echo one >"$WEB/f.txt"
    printf 'FROM scratch\nADD http://%s/f.txt /f\n' "$HOST" >Dockerfile
    build -o out .
    [ "$(got f)" = one ]
    [ "$(asked)" = "GET /f.txt 200 -" ]
    run -0 build .
    [[ "$output" == *"0 steps ran"* ]]
    [ "$(asked)" = "GET /f.txt 304 -" ]
    echo two >"$WEB/f.txt"
    run -0 build --explain -o out .
    [ "$(got f)" = two ]
    [[ "$(explained 'ADD http')" == "run "*"http://$HOST/f.txt changed"* ]]
    [ "$(asked)" = "GET /f.txt 200 -" ]
}

@test "rawjson says which step a download is for" {
    echo one >"$WEB/one"
    printf 'FROM scratch\nADD http://%s/one /one\nCOPY . /here\n' "$HOST" >Dockerfile
    run -0 --separate-stderr varve build --progress=rawjson .
    jq -es '([.[].vertexes // [] | .[] | {(.digest): .name}] | add) as $names | [.[].statuses // [] | .[]] |
        length > 0 and all($names[.vertex] // "" | contains("/one"))' <<<"$stderr" || { echo "$stderr"; false; }
}

@test "without an ETag the content decides: the same bytes are a hit" {
    echo same >"$WEB/f.txt"
    echo "/f.txt noetag" >"$WEB/.rules"
    printf 'FROM scratch\nADD http://%s/f.txt /f\n' "$HOST" >Dockerfile
    build .
    touch "$WEB/f.txt"
    run -0 build .
    [[ "$output" == *"up to date"* ]]
    # The same file from elsewhere is the same file.
    mkdir "$WEB/elsewhere"
    mv "$WEB/f.txt" "$WEB/elsewhere"
    printf 'FROM scratch\nADD http://%s/elsewhere/f.txt /f\n' "$HOST" >Dockerfile
    run -0 build --explain .
    [[ "$output" != *"run  ADD"* ]]
}

@test "a checksum: verified with a line and a next move, and then no network is needed" {
    echo one >"$WEB/f.txt"
    good=$(sha256sum <"$WEB/f.txt" | cut -d' ' -f1)
    bad=$(printf '%064d' 0)
    printf 'FROM scratch\nADD --checksum=sha256:%s http://%s/f.txt /f\n' "$bad" "$HOST" >Dockerfile
    run -1 build .
    [[ "$output" == *"Dockerfile:2"* && "$output" == *"checksum mismatch"* ]]
    [[ "$output" == *"next: "*"--checksum=sha256:$good"* ]]
    sed -i "s/$bad/$good/" Dockerfile
    build -o out .
    [ "$(got f)" = one ]
    asked >/dev/null
    run -0 build .
    [[ "$output" == *"0 steps ran"* ]]
    [ -z "$(asked)" ]
    unserve
    run -0 build --no-cache -o out .
    [ "$(got f)" = one ]
}

@test "a dead server is exit 4 with a line, a missing file is not; passwords are never shown" {
    echo one >"$WEB/f.txt"
    printf 'FROM scratch\nADD http://user:hunter2@%s/none.txt /f\n' "$HOST" >Dockerfile
    run -1 build .
    [[ "$output" == *"cannot get http://$HOST/none.txt"*404* && "$output" == *"Dockerfile:2"* ]]
    unserve
    run -4 build .
    [[ "$output" == *"cannot get http://$HOST/none.txt"* && "$output" == *"Dockerfile:2"* ]]
    [[ "$(grep '^error' <<<"$output")" != *hunter2* ]]
}

@test "an answer that breaks off and a server that is busy are tried again" {
    head -c 300000 /dev/urandom >"$WEB/cut.bin"
    echo busy >"$WEB/busy.txt"
    printf '/cut.bin cut\n/busy.txt 503\n' >"$WEB/.rules"
    printf 'FROM scratch\nADD http://%s/cut.bin http://%s/busy.txt /\n' "$HOST" "$HOST" >Dockerfile
    run -0 build -o out .
    cmp out/cut.bin "$WEB/cut.bin"
    [ "$(got busy.txt)" = busy ]
    [ "$(grep -c busy "$LOG")" -eq 3 ]
}

@test "git: a new commit is picked up, an unmoved branch is a hit" {
    repository r
    printf 'FROM scratch\nADD http://%s/r.git#main /r/\n' "$HOST" >Dockerfile
    build -o out .
    [ "$(got r/f)" = one ]
    [ ! -e out/r/.git ]
    run -0 build .
    [[ "$output" == *"0 steps ran"* ]]
    commit r two
    run -0 build --explain -o out .
    [ "$(got r/f)" = two ]
    [[ "$(explained 'ADD http')" == "run "*"r.git changed"* ]]
    run -0 "$VARVE" fsck
}

@test "git: a whole commit id needs no network once it is here" {
    repository r
    id=$(git -C "$WEB/r.git" rev-parse main)
    printf 'FROM scratch\nADD http://%s/r.git#%s /r/\nADD --checksum=%s http://%s/r.git#v1 /c/\n' "$HOST" "$id" "$id" "$HOST" >Dockerfile
    build -o out .
    [ "$(got r/f)$(got c/f)" = oneone ]
    unserve
    run -0 build .
    [[ "$output" == *"0 steps ran"* ]]
    sed -i 's/#.* .r./#main \/r/' Dockerfile
    run -4 build .
    [[ "$output" == *"Dockerfile:2"* && "$output" == *"r.git"* ]]
}

@test "git: a moved tag does not pass for the commit that was written down" {
    repository r
    id=$(git -C "$WEB/r.git" rev-parse v1)
    commit r two
    git -C "$WEB/r.git" tag -f v1 main >/dev/null
    printf 'FROM scratch\nADD --checksum=%s http://%s/r.git#v1 /r/\n' "$id" "$HOST" >Dockerfile
    run -1 build .
    [[ "$output" == *"Dockerfile:2"* && "$output" == *"checksum mismatch"*"next: "* ]]
}

@test "git: submodules come along, unless they are not wanted" {
    repository inner
    repository r
    (
        cd "$BATS_TEST_TMPDIR/r" || exit 1
        git -c protocol.file.allow=always submodule --quiet add "$WEB/inner.git" inner
        git config -f .gitmodules submodule.inner.url ../inner.git
        git commit -qam inner
        git push -q "$WEB/r.git" main
    )
    printf 'FROM scratch\nADD http://%s/r.git#main /r/\nADD http://%s/r.git?submodules=false&ref=main /n/\n' "$HOST" "$HOST" >Dockerfile
    build -o out .
    [ "$(got r/inner/f)" = one ]
    [ ! -e out/r/inner/.git ]
    [ -z "$(ls -A out/n/inner)" ]
}

@test "git: --keep-git-dir gives a repository that works" {
    repository r
    printf 'FROM scratch\nADD --keep-git-dir http://user:hunter2@%s/r.git#v1 /r/\n' "$HOST" >Dockerfile
    build -o out .
    run -0 git -C out/r -c safe.directory='*' log --format=%s
    [ "$output" = one ]
    run ! grep -r hunter2 out/r/.git
}

@test "git: the first digits of a commit are a check on what the ref is" {
    repository r
    id=$(git -C "$WEB/r.git" rev-parse main)
    printf 'FROM scratch\nADD http://%s/r.git?commit=%s /r/\nADD --checksum=%s http://%s/r.git?branch=main /c/\n' "$HOST" "${id:0:8}" "${id:0:12}" "$HOST" >Dockerfile
    build -o out .
    [ "$(got r/f)$(got c/f)" = oneone ]
    git -C "$BATS_TEST_TMPDIR/r" rm -q --cached f
    printf 'FROM scratch\nCOPY f /\n' >"$BATS_TEST_TMPDIR/r/Dockerfile"
    (cd "$BATS_TEST_TMPDIR/r" && git reset -q && git add Dockerfile && git commit -qm two && git push -q "$WEB/r.git" main)
    sed -i 3d Dockerfile
    run -1 build .
    [[ "$output" == *"Dockerfile:2"*"checksum mismatch"*"the default branch"*"next: "* ]]
    id=$(git -C "$WEB/r.git" rev-parse main)
    rm -rf out
    build -o out "http://$HOST/r.git?commit=${id:0:7}"
    [ "$(got f)" = one ]
}

@test "git: mtime=commit gives files the commit's time, checkout that of the checkout" {
    export GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
    repository r
    (cd "$BATS_TEST_TMPDIR/r" && printf 'FROM scratch\nCOPY . /\n' >Dockerfile && ln -s f l && git add . && git commit -qm two && git push -q "$WEB/r.git" main)
    printf 'FROM scratch\nADD http://%s/r.git?mtime=commit /r/\nADD http://%s/r.git?mtime=checkout /c/\n' "$HOST" "$HOST" >Dockerfile
    build -o out .
    for f in f l sub sub/s; do
        [ "$(stat -c %Y "out/r/$f")" = 981173106 ] || { stat "out/r/$f"; return 1; }
        [ "$(stat -c %Y "out/c/$f")" -gt 981173106 ]
    done
    # A context does so by itself where times are to be the same each time.
    rm -rf out
    build -o out --build-arg SOURCE_DATE_EPOCH=1700000000 "http://$HOST/r.git"
    [ "$(stat -c %Y out/f)" = 981173106 ]
    rm -rf out
    build -o out "http://$HOST/r.git?mtime=commit"
    [ "$(stat -c %Y out/sub/s)" = 981173106 ]
}

@test "git: fetch-by-commit takes the commit and does not ask what the ref is now" {
    repository r
    id=$(git -C "$WEB/r.git" rev-parse main)
    commit r two
    printf 'FROM scratch\nADD http://%s/r.git?branch=main&commit=%s /r/\n' "$HOST" "$id" >Dockerfile
    run -1 build .
    [[ "$output" == *"checksum mismatch"* ]]
    printf 'FROM scratch\nADD http://%s/r.git?branch=main&commit=%s&fetch-by-commit=true&keep-git-dir=1 /r/\n' "$HOST" "$id" >Dockerfile
    build -o out .
    [ "$(got r/f)" = one ]
    [ "$(refs_of out/r)" = "refs/heads/main commit" ]
}

@test "git: submodules from a server of plain files, which has no shallow clones" {
    repository inner
    repository r
    for r in r inner; do
        mkdir -p "$WEB/plain/$r"
    done
    commit inner two
    (
        cd "$BATS_TEST_TMPDIR/r" || exit 1
        git -c protocol.file.allow=always submodule --quiet add "$WEB/inner.git" inner
        git -C inner checkout -q v1
        git config -f .gitmodules submodule.inner.url "http://$HOST/plain/inner/git"
        git add -A
        git commit -qm inner
    )
    for r in r inner; do
        git clone -q --bare "$BATS_TEST_TMPDIR/$r" "$WEB/plain/$r/git"
        git -C "$WEB/plain/$r/git" update-server-info
    done
    printf 'FROM scratch\nADD --keep-git-dir=false http://%s/plain/r/git /r/\n' "$HOST" >Dockerfile
    build -o out .
    [ "$(got r/inner/f)" = one ]
    [ ! -e out/r/inner/.git ]
}

# The refs of the repository in DIR that point at something, with the kinds of what they point at.
refs_of() { git -C "$1" -c safe.directory='*' for-each-ref --format='%(refname) %(objecttype)'; }

@test "git: a kept .git directory knows the commit by the name that was asked for" {
    repository r
    git -C "$WEB/r.git" tag -a -m 'the first' v2 v1
    printf 'FROM scratch\nADD --keep-git-dir http://%s/r.git#v1 /light/\nADD --keep-git-dir http://%s/r.git#v2 /heavy/\n' "$HOST" "$HOST" >Dockerfile
    printf 'ADD --keep-git-dir http://%s/r.git#refs/heads/main /branch/\nADD --keep-git-dir http://%s/r.git /default/\n' "$HOST" "$HOST" >>Dockerfile
    build -o out .
    [ "$(refs_of out/light)" = "refs/tags/v1 commit" ]
    [ "$(refs_of out/heavy)" = "refs/tags/v2 tag" ]
    [ "$(git -C out/heavy -c safe.directory='*' describe)" = v2 ]
    [ "$(refs_of out/branch)" = "refs/heads/main commit" ]
    [ "$(refs_of out/default)" = "refs/heads/main commit" ]
    for dir in light heavy branch default; do
        [ "$(git -C "out/$dir" -c safe.directory='*' rev-parse HEAD)" = "$(git -C "$WEB/r.git" rev-parse main)" ]
        [ -z "$(git -C "out/$dir" -c safe.directory='*' status -s)" ]
    done
}

@test "git: the checksum of an annotated tag is that of the tag or of its commit" {
    repository r
    git -C "$WEB/r.git" tag -a -m 'the first' v2 v1
    for id in "$(git -C "$WEB/r.git" rev-parse v2)" "$(git -C "$WEB/r.git" rev-parse 'v2^{commit}')"; do
        for sum in "$id" "${id:0:12}"; do
            rm -rf out
            printf 'FROM scratch\nADD --checksum=%s http://%s/r.git#v2 /r/\n' "$sum" "$HOST" >Dockerfile
            build -o out .
            [ "$(got r/f)" = one ]
        done
    done
}

@test "git: a token goes to the server and nowhere else" {
    repository r
    echo "/r.git login" >"$WEB/.rules"
    printf 'FROM scratch\nADD http://%s/r.git /r/\n' "$HOST" >Dockerfile
    run -1 build .
    [[ "$output" == *"Dockerfile:2"*"next: "*"--secret id=GIT_AUTH_TOKEN.$HOST"* ]]
    asked >/dev/null
    export TOKEN=s3cr3t-t0ken
    run -0 build --secret id=GIT_AUTH_TOKEN,env=TOKEN .
    coded=$(printf 'x-access-token:%s' "$TOKEN" | base64 -w0)
    [[ "$(asked)" == *"basic $coded"* ]]
    [[ "$output" != *s3cr3t* && "$output" != *"$coded"* ]]
    run ! grep -rE "s3cr3t|$coded" "$VARVE_ROOT"
}

@test "http: a token of the host goes to it, to nobody else, and nowhere else" {
    echo secret >"$WEB/f"
    printf '/f login\n/away away=/f\n/here here=/f\n' >"$WEB/.rules"
    printf 'FROM scratch\nADD http://%s/f /f\n' "$HOST" >Dockerfile
    run -1 build .
    [[ "$output" == *"401"*"next: "*"--secret id=HTTP_AUTH_TOKEN_127.0.0.1"* ]]
    asked >/dev/null
    export TOKEN=s3cr3t-t0ken
    run -0 build -t h:1 --secret id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN .
    [ "$(asked)" = "GET /f 200 Bearer s3cr3t-t0ken" ]
    [[ "$output" != *s3cr3t* ]]
    run -0 build -t h:1 --secret id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN .
    [[ "$output" == *"up to date"* ]]
    run ! grep -r s3cr3t "$VARVE_ROOT"
    asked >/dev/null
    # The whole header; a redirect on the same server keeps it, one to another host does not.
    printf 'FROM scratch\nADD http://%s/here /f\n' "$HOST" >Dockerfile
    printf 'Basic bWU6cHc=\n' >header
    build --secret id=HTTP_AUTH_HEADER_127.0.0.1,src=header .
    [ "$(asked)" = $'GET /here 302 Basic bWU6cHc=\nGET /f 200 Basic bWU6cHc=' ]
    printf 'FROM scratch\nADD http://%s/away /f\n' "$HOST" >Dockerfile
    run -1 build --secret id=HTTP_AUTH_HEADER_127.0.0.1,src=header .
    [ "$(asked)" = $'GET /away 302 Basic bWU6cHc=\nGET /f 401 -' ]
    printf 'a\r\nX-Other: b\n' >header
    run -1 build --secret id=HTTP_AUTH_HEADER_127.0.0.1,src=header .
    [[ "$output" == *"control character"* ]]
    # A context behind a login.
    rm -rf "$WEB/f"
    mkdir c
    printf 'FROM scratch\nCOPY . /\n' >c/Dockerfile
    tar -C c -cf "$WEB/f" .
    build --secret id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN -o out "http://$HOST/f"
    [ -e out/Dockerfile ]
}

@test "git: what could be taken for an option or another program is refused" {
    printf 'FROM scratch\nCOPY --from=x / /\n' >Dockerfile
    for url in '-oProxyCommand=touch@host:x' 'ssh://-oProxyCommand=touch/x' 'https://127.0.0.1:1/r.git#--upload-pack=touch'; do
        run build --build-context "x=$url" .
        [ "$status" -ne 0 ]
        [[ "$output" == *"refused"* || "$output" == *"cannot be the name"* || "$output" == *"is not a directory"* ]] || { echo "$output"; return 1; }
    done
    run build 'ext::touch'
    [ "$status" -eq 2 ]
}

@test "named contexts: a repository and an archive at a URL" {
    repository r
    mkdir t
    echo archived >t/a
    tar -C t -czf "$WEB/t.tgz" .
    printf 'FROM scratch\nCOPY --from=repo s /\nCOPY --from=tgz a /\n' >Dockerfile
    run -0 build --build-context "repo=http://$HOST/r.git#v1:sub" --build-context "tgz=http://$HOST/t.tgz" -o out .
    [ "$(got s)$(got a)" = sarchived ]
}

@test "archives as contexts, on stdin and as files: owners, times, ignore files; nothing stays behind" {
    mkdir t
    echo a >t/a
    echo b >t/b
    echo b >t/.dockerignore
    touch -d @1000000000 t/a
    printf 'FROM scratch\nCOPY . /x/\n' >t/Dockerfile
    for filter in '' -z -j -J --zstd; do
        rm -rf out
        tar -C t $filter --numeric-owner --owner=5 --group=6 -cf ctx.tar .
        build -o type=tar,dest=out.tar - <ctx.tar
        run -0 tar --numeric-owner -tvf out.tar
        [[ "$output" == *" 5/6 "*" 2001-09-0"*" x/a"* && "$output" != *"x/b"* ]]
        run -0 build ctx.tar
        [[ "$output" == *"0 steps ran"* || "$output" == *"is up to date (1 step cached"* ]]
    done
    run -0 find "$VARVE_ROOT/tmp" -mindepth 1
    [ -z "$output" ]
    [ "$(find "$VARVE_ROOT/statcache" -type f | wc -l)" -eq 0 ]
}

@test "contexts: what cannot be one is refused in words" {
    echo text >file
    run -2 build file
    [[ "$output" == *"neither a directory nor a tar archive"* ]]
    gzip -c file >file.gz
    run -1 bash -c "'$VARVE' build - <file.gz"
    [[ "$output" == *"is not a tar archive"*"next: "* ]]
    run -2 bash -c "'$VARVE' build -f - - </dev/null"
    run -2 bash -c "printf 'FROM scratch\n' | '$VARVE' build -f Other -"
    [[ "$output" == *"-f Other"* ]]
    mkdir t
    ln -s /etc/passwd t/Dockerfile
    run ! bash -c "tar -C t -c . | '$VARVE' build -"
    [[ "$output" != *root:* ]]
    run ! build "http://$HOST/none.tar"
    [[ "$output" == *"cannot get http://$HOST/none.tar"*404* ]]
}

@test "the Dockerfile at a URL, or of this machine beside a context from elsewhere" {
    repository r
    tar -C "$BATS_TEST_TMPDIR/r" -cf "$WEB/c.tar" f
    printf 'FROM scratch\nCOPY f /own\n' >My.file
    printf 'FROM scratch\nCOPY f /far\n' >"$WEB/My.file"
    for context in "http://$HOST/r.git" "http://$HOST/c.tar"; do
        rm -rf out
        build -f "$PWD/My.file" -o out "$context"
        build -f "http://$HOST/My.file" -o out "$context"
        [ "$(got own)$(got far)" = oneone ]
    done
    rm -r out
    echo here >f
    echo f >Dockerfile.dockerignore # belongs to a file that these builds do not read
    build -f "http://$HOST/My.file" -o out .
    build -f - -o out . <My.file
    [ "$(got own)$(got far)" = herehere ]
    run -1 build -f "http://$HOST/none" .
    [[ "$output" == *"cannot get http://$HOST/none"*404* ]]
    printf 'FROM scratch\nLABEL a=b\n' >"$WEB/My.file"
    run -0 build -f Other "http://$HOST/My.file"
    [[ "$output" == *"note: "*"-f Other"* ]]
}

@test "a git context is checked out once" {
    repository r
    (
        cd "$BATS_TEST_TMPDIR/r" || exit 1
        printf 'FROM scratch\nCOPY f /\n' >sub/Docker.file
        cp f sub/f
        git add -A
        git commit -qm sub
        git push -q "$WEB/r.git" main
    )
    build -f Docker.file -o out "http://$HOST/r.git#main:sub"
    [ "$(got f)" = one ]
    asked >/dev/null
    run -0 build -f Docker.file "http://$HOST/r.git#main:sub"
    [[ "$output" == *"0 steps ran"* ]]
    run ! grep POST.*upload-pack.*POST "$LOG"
    run -1 build -f Docker.file "http://$HOST/r.git#main:none"
    [[ "$output" == *'no directory "none"'* ]]
}

@test "after a prune the file and the tree are got again as a whole" {
    repository r
    echo one >"$WEB/f.txt"
    printf 'FROM scratch\nADD http://%s/f.txt http://%s/r.git /x/\n' "$HOST" "$HOST" >Dockerfile
    build -o type=cacheonly .
    run -0 "$VARVE" prune --all --force
    asked >/dev/null
    run -0 build -o out .
    [ "$(got x/f.txt)$(got x/f)" = oneone ]
    [[ "$(asked)" == *"GET /f.txt 200 -"* ]]
    run -0 "$VARVE" fsck
}

# When an image of build ARGS… says it was created.
created() {
    build -t epoch "$@"
    "$VARVE" inspect -f '{{.Created}}' epoch
}

@test "SOURCE_DATE_EPOCH=context is the time of the commit, of the file, of what is in it; a directory has none" {
    GIT_COMMITTER_DATE="@1600000000 +0000" repository r
    printf 'FROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL at=$SOURCE_DATE_EPOCH\nCOPY f /\n' >Dockerfile
    echo f >f
    touch -d @1600000001 f
    touch -d @1500000000 Dockerfile
    export SOURCE_DATE_EPOCH=context
    tar -cf "$WEB/c.tar" Dockerfile f
    [[ "$(created "http://$HOST/c.tar")" == 2020-09-13T12:26:41* ]]
    [ "$("$VARVE" inspect -f '{{.Config.Labels.at}}' epoch)" = 1600000001 ]
    touch -d @1600000002 "$WEB/c.tar"
    cp -p "$WEB/c.tar" "$WEB/dated.tar"
    echo "/dated.tar dated" >"$WEB/.rules"
    echo x >>"$WEB/dated.tar" # a file of its own; tar does not read on behind the end
    touch -d @1600000002 "$WEB/dated.tar"
    [[ "$(created "http://$HOST/dated.tar")" == 2020-09-13T12:26:42* ]]
    (
        cd "$BATS_TEST_TMPDIR/r" || exit 1
        cp "$BATS_TEST_TMPDIR/ctx/Dockerfile" .
        git add -A
        GIT_COMMITTER_DATE="@1600000003 +0000" git commit -qm Dockerfile
        git push -q "$WEB/r.git" main
    )
    [[ "$(created "http://$HOST/r.git#main")" == 2020-09-13T12:26:43* ]]
    [[ "$(created .)" > 2026 ]]
    [ -z "$("$VARVE" inspect -f '{{.Config.Labels.at}}' epoch)" ]
}

@test "SOURCE_DATE_EPOCH names a stage or a further context that has a time" {
    GIT_COMMITTER_DATE="@1600000000 +0000" repository r
    mkdir t
    echo a >t/a
    touch -d @1600000001 t/a
    tar -C t -czf "$WEB/t.tgz" a
    printf 'ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD http://%s/r.git#v1 /\nFROM scratch\nCOPY --from=src f /\n' "$HOST" >Dockerfile
    [[ "$(created .)" == 2020-09-13T12:26:40* ]]
    [[ "$(created --build-context "src=http://$HOST/t.tgz" --build-arg SOURCE_DATE_EPOCH=src -f - . <<<$'FROM scratch\nCOPY --from=src a /')" == 2020-09-13T12:26:41* ]]
    [[ "$(created --build-arg SOURCE_DATE_EPOCH=1600000009 .)" == 2020-09-13T12:26:49* ]]
    run -2 build --build-arg SOURCE_DATE_EPOCH=soon .
    [[ "$output" == *"invalid SOURCE_DATE_EPOCH: soon"*"next: "* ]]
    sed -i 's,#v1,#none,' Dockerfile
    run -1 build .
    [[ "$output" == *"Dockerfile:1"*'no branch or tag "none"'* ]]
}

#!/usr/bin/env bats
# --format with templates, as Docker's scripts write them.
bats_require_minimum_version 1.5.0
load helper
setup_file() {
    seed_setup
    cat >Dockerfile <<'END'
FROM busybox
RUN echo first >/first
ENV GREETING="good day" EMPTY=
LABEL org.example.a=b plain=yes
EXPOSE 80 53/udp
CMD ["echo", "hello"]
END
    VARVE_ROOT=$SEED build -t app:1 -t other.example/team/app:2 . 2>/dev/null
}

look() { VARVE_ROOT=$SEED "$VARVE" "$@"; }

@test "images --format fills in docker's fields" {
    [ "$(look images --format '{{.Repository}}:{{.Tag}}' | sort | tr '\n' ' ')" = "app:1 other.example/team/app:2 " ]
    [ "$(look images --format '{{.ID}}' app:1)" = "$(look images -q app:1)" ]
    [ "$(look images --no-trunc --format '{{.ID}}' app:1)" = "$(look images -q --no-trunc app:1)" ]
    [ "$(look images --format '{{.Digest}}' app:1)" = "<none>" ]
    [[ "$(look images --format '{{.Size}}' app:1)" =~ ^[0-9.]+(kB|MB)$ ]]
    [[ "$(TZ=UTC look images --format '{{.CreatedAt}}' app:1)" =~ ^20[0-9-]{8}' '[0-9:]{8}' +0000 UTC'$ ]]
    [ "$(look images --format '{{json .}}' app:1 | jq -r .Tag)" = 1 ]
    [ "$(look images -q --format '{{.Tag}}' app:1)" = 1 ]
}

@test "table TEMPLATE has headings and columns" {
    run look images --format 'table {{.Repository}}\t{{.Tag}}\t{{.CreatedSince}}' app:1
    [ "${lines[0]}" = "REPOSITORY   TAG   CREATED" ]
    [[ "${lines[1]}" == "app          1     "* ]]
    run varve images --format 'table {{.ID}}\t{{.Repository}}'
    [ "$output" = "IMAGE ID   REPOSITORY" ]
    [ "$(varve ps --format 'table {{.Names}}\t{{.RunningFor}}')" = "NAMES   CREATED" ]
}

@test "a template is checked before anything is done" {
    for c in "images" "ps" "history" "du" "version" "inspect nothing:1" "layers nothing:1"; do
        # shellcheck disable=SC2086
        run --separate-stderr varve $c --format '{{.ID}}{{if .X}}'
        [ "$status" -eq 2 ]
        [[ "$stderr" == "error: --format: at character 10, \"if .X\": the block has no {{end}}"*"next: "* ]]
        run --separate-stderr varve $c --format '{{jsno .}}'
        [ "$status" -eq 2 ]
        [[ "$stderr" == *"there is no function jsno; did you mean json?"* ]]
    done
}

@test "an unknown field names those that are there" {
    run --separate-stderr look images --format '{{.Repositry}}' app:1
    [ "$status" -eq 1 ]
    [[ "$stderr" == *'at character 3, ".Repositry": there is no field Repositry; did you mean Repository?'* ]]
    [[ "$stderr" == *"next: the fields here are "*"CreatedAt, CreatedSince, Digest, ID,"* ]]
    run --separate-stderr look inspect -f '{{.Config.Envs}}' app:1
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"there is no field Envs; did you mean Env?"*"next: the fields here are "*" Cmd, "* ]]
}

@test "inspect --format prints what docker prints" {
    field() { look inspect -f "$1" app:1; }
    [ "$(field '{{.Os}}')" = linux ]
    [ "$(field '{{.Config.Cmd}}')" = "[echo hello]" ]
    [ "$(field '{{json .Config.Cmd}}')" = '["echo","hello"]' ]
    [ "$(field '{{index .Config.Cmd 1}} {{len .RootFS.Layers}}')" = "hello 2" ]
    [ "$(field '{{index .Config.Labels "org.example.a"}}{{index .Config.Labels "none"}}')" = b ]
    [ "$(field '{{.Config.Labels.plain}} {{.Config.Labels.none}}')" = "yes <no value>" ]
    [ "$(field '{{range .Config.Env}}{{println .}}{{end}}' | grep GREETING)" = "GREETING=good day" ]
    [ "$(field '{{range $p, $x := .Config.ExposedPorts}}{{$p}} {{end}}')" = "53/udp 80/tcp " ]
    [ "$(field '{{range $i, $t := .RepoTags}}{{if $i}},{{end}}{{$t}}{{end}}' | tr , '\n' | sort | head -1)" = app:1 ]
    [ "$(field '{{.Id}}')" = "$(look images -q --no-trunc app:1)" ]
    [ "$(field '{{slice .Id 7 19}}')" = "$(look images -q app:1)" ]
    [ "$(field '{{.Architecture}}' )" = "$(look inspect app:1 | jq -r '.[0].Architecture')" ]
    [ "$(look inspect -f '{{.Os}}' app:1 other.example/team/app:2)" = "linux"$'\n'"linux" ]
}

@test "what an image's config leaves out is empty, as in docker's objects" {
    [ "$(look inspect -f '[{{.Config.User}}][{{.Config.WorkingDir}}]{{.Config.Entrypoint}}{{.Config.Volumes}}{{.Config.Healthcheck}}' app:1)" = "[][][]map[]<nil>" ]
    [ "$(look inspect -f '{{if .Config.Healthcheck}}yes{{else}}no{{end}} {{or .Config.User "root"}}' app:1)" = "no root" ]
    run --separate-stderr look inspect -f '{{index .RepoDigests 0}}' app:1
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"the list is empty"*"next: "* ]]
    [ "$(look inspect -f '{{if .RepoDigests}}{{index .RepoDigests 0}}{{end}}' app:1)" = "" ]
}

@test "version, history, layers and du take templates" {
    version=$(varve version | awk 'NR == 1 {print $2}')
    [ "$(varve version --format '{{.Server.Version}} {{.Client.Version}}')" = "$version $version" ]
    [ "$(varve version --format json | jq -r .Server.Os)" = linux ]
    run look history --format '{{.CreatedBy}}|{{.Size}}|{{.ID}}' app:1
    [ "${lines[0]}" = 'CMD ["echo" "hello"]|0B|<missing>' ]
    [ "$(look history --format '{{.Build}} {{.Name}} [{{.Error}}]')" = "1 app:1 []" ]
    run look history 1 --format '{{.Step}} {{.Outcome}} {{.Name}}'
    [[ "$output" == *"ran RUN echo first"* ]]
    [ "$(look layers --format '{{.Layer}} {{.Wasted}}' app:1 | tail -1)" = "2 0" ]
    [ "$(look du --format '{{.Images}} {{.Layers}}')" = "$(look du --format json | jq -r '"\(.Images) \(.Layers)"')" ]
}

@test "a template's output is bounded" {
    run --separate-stderr look inspect -f "{{range \$i, \$e := .Config.Env}}$(printf '{{range $.Config.Env}}%.0s' {1..25})x$(printf '{{end}}%.0s' {1..26})" app:1
    [ "$status" -eq 2 ]
    [[ "$stderr" == *"makes too much output"* ]]
}

# shown ARGS…: the names that images prints, sorted, on a line.
shown() { look images --format '{{.Repository}}:{{.Tag}}' "$@" | sort | tr '\n' ' '; }

@test "images --filter takes references and patterns, labels and dangling" {
    both="app:1 other.example/team/app:2 "
    [ "$(shown --filter reference=app)" = "app:1 " ]
    [ "$(shown --filter 'reference=a*')" = "app:1 " ]
    [ "$(shown -f 'reference=other.example/*/app:?')" = "other.example/team/app:2 " ]
    [ "$(shown -f 'reference=*')" = "app:1 " ]
    [ "$(shown -f 'reference=app:9')" = "" ]
    [ "$(shown -f 'reference=app' -f 'reference=*/*/app')" = "$both" ]
    [ "$(shown 'a*')" = "app:1 " ]
    [ "$(shown --filter label=plain)" = "$both" ]
    [ "$(shown --filter label=plain=yes --filter label=org.example.a=b)" = "$both" ]
    [ "$(shown --filter label=plain=no)" = "" ]
    [ "$(shown --filter label=none)" = "" ]
    [ "$(shown --filter dangling=false)" = "$both" ]
    [ "$(shown --filter dangling=true)" = "" ]
    [ "$(look images -q --filter reference=app)" = "$(look images -q app:1)" ]
    run look images --filter label=none
    [ "$status" -eq 0 ]
    [[ "$output" == *"no image passes the filter"*"next: varve images"* ]]
}

@test "images --filter before and since go by the list's order; what is no filter is told" {
    printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile
    for n in 1 2 3; do "$VARVE" build -q -t "y:$n" --label "n=$n" . >/dev/null; done
    varve tag y:2 same:2
    tags() { varve images --format '{{.Repository}}{{.Tag}}' "$@" | tr '\n' ' '; }
    [ "$(tags)" = "same2 y3 y2 y1 " ]
    [ "$(tags --filter before=y:2)" = "y1 " ]
    [ "$(tags --filter since=y:2)" = "y3 " ]
    [ "$(tags --filter since=y:1 --filter before=y:3)" = "y2 " ]
    run --separate-stderr varve images --filter since=none:1
    [ "$status" -eq 1 ]
    [[ "$stderr" == *"--filter: "*"none:1"* ]]
    for bad in size=1 label= dangling=perhaps reference; do
        run --separate-stderr varve images --filter "$bad"
        [ "$status" -eq 2 ]
        [[ "$stderr" == *"--filter $bad: "* ]]
    done
}

#!/usr/bin/env bats
# varve parse: the syntax tree and the graph, for tools.
load helper
setup_file() { base_setup; }

two_stages() {
    cat >Dockerfile <<'END'
ARG V=1
FROM busybox AS gen
RUN --mount=type=cache,target=/c echo "$V" >/out
FROM scratch
COPY --from=gen /out /out
END
}

@test "parse prints the syntax tree of a directory or a file, without a store" {
    two_stages
    run varve parse .
    [ "$status" -eq 0 ]
    python3 -c '
import json, sys
d = json.load(sys.stdin)
assert [s.get("name") for s in d["stages"]] == ["gen", None], d
assert d["metaArgs"][0]["pairs"] == [["V", "1"]], d
assert d["stages"][1]["instructions"][0]["flags"] == [{"name": "from", "value": "gen"}], d
' <<<"$output"
    cp Dockerfile Other
    [ "$(varve parse Other | sed s/Other/Dockerfile/)" = "$output" ]
    [ "$(varve parse -f Other . | sed s/Other/Dockerfile/)" = "$output" ]
    [ ! -e "$VARVE_ROOT" ]
}

@test "parse prints the graph as JSON, dot and text" {
    two_stages
    base="busybox=oci-layout://$BASES/busybox-oci"
    varve parse --format graph-json --build-context "$base" . | python3 -c '
import json, sys
v = json.load(sys.stdin)["vertices"]
assert [x["number"] for x in v] == list(range(len(v)))
assert all(i < x["number"] for x in v for i in x["inputs"])
run = [x for x in v if x["op"] == "exec"][0]
assert run["mounts"][1]["type"] == "cache" and run["mounts"][1]["dest"] == "/c", run
assert run["line"] == 3 and run["stage"] == "gen", run
assert v[-1]["op"] == "file" and v[-1]["actions"][0]["dest"] == "/out", v[-1]
'
    run varve parse --format dot --build-context "$base" .
    [[ "${lines[0]}" == "digraph build {" && "$output" == *"v0 -> v1;"* ]]
    run varve parse --format text --build-context "$base" .
    [[ "$output" == *"exec"*"RUN "*"echo"*"<- 0"* ]]
    run varve parse --format text --build-context "$base" --target gen .
    [[ "$output" == *"RUN "*"echo"* && "$output" != *"COPY"* ]]
}

@test "parse reports what is wrong with its place" {
    printf 'FROM busybox\nCOYP a b\n' >Dockerfile
    run varve parse .
    [ "$status" -eq 1 ]
    [[ "$output" == *"Dockerfile:2:1: error:"*"COPY"* ]]
    run varve parse --format xml .
    [ "$status" -eq 2 ]
}

@test "a URL is a repository when --keep-git-dir says so, whatever its name" {
    printf 'FROM scratch\nADD --keep-git-dir=true https://h.example/~u/b#main /d\nADD https://h.example/~u/c /e\n' >Dockerfile
    graph=$(varve parse --format graph-json .)
    [ "$(jq -r '.vertices[] | select(.identifier) | "\(.op) \(.identifier)"' <<<"$graph" | sort)" = \
        "$(printf 'git https://h.example/~u/b\nhttp https://h.example/~u/c')" ]
}

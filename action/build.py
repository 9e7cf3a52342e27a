#!/usr/bin/env python3
"""Runs varve build for action.yml."""
import json
import os
import sys
import tempfile

from common import (clean_environment, command_text, default_context, ended, fail, given, lines, listed, option_words,
                    run, set_output)

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


def annotate(match, place):
    """A mark at the Dockerfile's line in the pull request, if the file is in the workspace."""
    name = match["file"]
    for path in (os.path.join(place, name), name, given("file")):
        if path and os.path.isfile(path):
            name = os.path.relpath(path, os.environ.get("GITHUB_WORKSPACE", "."))
            break
    print(f"::{match['kind']} file={command_text(name)},line={match['line']},col={match['column']},title=varve::"
          f"{command_text(match['text'])}", flush=True)


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
    env, place = clean_environment(), context()
    varve = env.get("VARVE_PROGRAM") or "varve"
    words = [varve] + (["--root", given("root")] if given("root") else []) + ["build", "--progress=plain"]
    words += option_words(OPTIONS) + secret_words(place, env)
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
        ended("build", code)
        if not code:
            set_outputs(metadata)
    sys.exit(code)


if __name__ == "__main__":
    main()

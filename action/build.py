#!/usr/bin/env python3
"""Runs varve build for action.yml."""
import json
import os
import sys

from common import (clean_environment, command_text, ended, fail, given, lines, listed, option_words, place, run_varve,
                    set_output)

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


def set_outputs(text):
    data = json.loads(text)
    set_output("imageid", data.get("containerimage.config.digest") or data.get("containerimage.digest", ""))
    set_output("digest", data.get("containerimage.digest", ""))
    set_output("metadata", text)


def main():
    env, context = clean_environment(), place("context")
    code, places, metadata = run_varve("build", option_words(OPTIONS) + secret_words(context, env), [context], env)
    for match in places:
        annotate(match, context)
    ended("build", code)
    if not code and metadata:
        set_outputs(metadata)
    sys.exit(code)


if __name__ == "__main__":
    main()

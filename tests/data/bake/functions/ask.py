#!/usr/bin/env python3
"""Asks the real docker buildx bake what the calls of the case files yield, and writes it into them.

usage: ask.py [FILE...]     (all *.txt beside this program when none is named)

A case is a line "EXPRESSION<tab>RESULT": the result is the value as JSON, or "!" and the error.
Only the expressions are read; the results are written anew. Lines that are empty or begin with '#'
stay. So do lines "EXPRESSION<tab>=RESULT": that is what varve says, where buildx lacks the function,
answers differently each time, or is not followed on purpose (a comment before it says why).

The program is that of the chroot which bench/peers.sh sets up (VARVE_PEERS); no engine is needed.
Needs root."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

CHROOT = os.environ.get("VARVE_PEERS", "/var/tmp/varve-peers")


def bake(text):
    with tempfile.TemporaryDirectory(dir=CHROOT + "/tmp", prefix="bake-") as folder:
        path = os.path.join(folder, "docker-bake.hcl")
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)
        command = ["chroot", CHROOT, "docker", "buildx", "bake", "-f", path.removeprefix(CHROOT), "--print"]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace")


def argument_end(text, at):
    """Where the argument that begins at a place ends: at its comma or bracket."""
    depth, quoted = 0, False
    while quoted or depth or text[at] not in ",)":
        if quoted and text[at] == "\\":
            at += 1
        elif text[at] == '"':
            quoted = not quoted
        elif not quoted:
            depth += (text[at] in "([{") - (text[at] in ")]}")
        at += 1
    return at


def with_variables(call, variables):
    """The call with each convert(VALUE, TYPE) replaced by a variable of that type, because buildx
    takes a type's name only once in a file."""
    while (at := call.rfind("convert(")) >= 0:
        comma = argument_end(call, at + len("convert("))
        end = argument_end(call, comma + 1)
        name = f"converted{len(variables)}"
        value, of = call[at + len("convert("):comma], call[comma + 1:end].strip()
        variables.append(f'variable "{name}" {{\n  type = {of}\n  default = {value}\n}}\n')
        call = call[:at] + name + call[end + 1:]
    return call


def target(n, expression):
    return f'target "t{n}" {{\n  args = {{ a = {expression} }}\n}}\n'


def ask_many(calls):
    """Results by number; None where the call failed."""
    names = ", ".join(f'"t{n}"' for n in range(len(calls)))
    text = f'group "default" {{\n  targets = [{names}]\n}}\n'
    variables = []
    calls = [with_variables(c, variables) for c in calls]
    text += "".join(target(n, f'try(jsonencode({c}), "!")') for n, c in enumerate(calls))
    done = bake(text + "".join(variables))
    if done.returncode:
        sys.exit(done.stderr)
    targets = json.loads(done.stdout)["target"]
    answers = [targets[f"t{n}"]["args"]["a"] for n in range(len(calls))]
    answers = [a.replace("$${", "${").replace("%%{", "%{") for a in answers]
    return [None if a == "!" else a for a in answers]


def ask_error(call):
    variables = []
    text = target(0, f"jsonencode({with_variables(call, variables)})")
    done = bake('group "default" {\n  targets = ["t0"]\n}\n' + text + "".join(variables))
    if done.returncode == 0:
        return "(none when asked alone)"
    last = done.stderr.split("ERROR: ")[-1].strip().replace("\n", " ")
    last = re.sub(r"^[^ ]*docker-bake.hcl:[0-9,-]+: ", "", last)
    last = re.sub(r", and [0-9]+ other diagnostic\(s\)$", "", last)
    return re.split(r" *goroutine [0-9]+ ", last)[0][:300]  # what a panic says behind it is the stack


def main():
    for name in sys.argv[1:] or sorted(glob.glob(os.path.dirname(__file__) + "/*.txt")):
        with open(name, encoding="utf-8", newline="\n") as f:
            lines = f.read().split("\n")
        asked = [i for i, s in enumerate(lines) if s and s[0] != "#" and "\t=" not in s]
        calls = [lines[i].split("\t")[0] for i in asked]
        answers = ask_many(calls)
        with ThreadPoolExecutor(2) as pool:
            failed = [c for c, a in zip(calls, answers) if a is None]
            errors = dict(zip(failed, pool.map(ask_error, failed)))
        for i, call, answer in zip(asked, calls, answers):
            lines[i] = call + "\t" + ("!" + errors[call].replace("\t", " ") if answer is None else answer)
        with open(name, "w", encoding="utf-8", newline="\n") as f:
            f.write("\n".join(lines))
        print(f"{name}: {len(calls)} calls")


main()

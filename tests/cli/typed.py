#!/usr/bin/env python3
"""Types into an interactive shell: typed.py TEXT... -- SHELL [ARGUMENT...]

Each TEXT is written once the shell shows its prompt, "READY> "; a tab in it asks for a completion. What the shell
shows goes to stdout. The shell is ended after the last one has been answered by a prompt again.
"""
import os
import pty
import select
import signal
import sys
import time

LIMIT = 30  # seconds for each answer


def read_until(fd, seen, prompts):
    end = time.monotonic() + LIMIT
    while seen.count(b"READY> ") < prompts:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            sys.stdout.buffer.write(seen)
            sys.exit("the shell did not answer")
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            break
        seen += data
    return seen


def main():
    split = sys.argv.index("--")
    texts, shell = sys.argv[1:split], sys.argv[split + 1:]
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(shell[0], shell)
    seen = read_until(fd, b"", 1)
    for text in texts:
        prompts = seen.count(b"READY> ")
        os.write(fd, text.encode() + b"\r")
        seen = read_until(fd, seen, prompts + 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    sys.stdout.buffer.write(seen)


main()

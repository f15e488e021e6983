#!/usr/bin/env python3
"""Holds worked pages to the program: runs every example of a page and compares what it prints.

  tools/worked_examples.py KERF PAGE.md … [--update]

An example is a fenced block whose first line is «$ kerf …»; what follows is the output, errors included. The line
goes to a shell with KERF as `kerf`, in the root of the tree, so that pipes work. With --update the pages are
rewritten with what the program prints now.
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = re.compile(r"(^```[a-z]*\n\$ (?P<command>kerf [^\n]*)\n)(?P<output>.*?)(^```$)", re.M | re.S)


def run(command: str, environment: dict) -> str:
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    output = done.stdout.decode()
    return output if output.endswith("\n") or not output else output + "\n"


def check(page: pathlib.Path, environment: dict, update: bool) -> int:
    """The number of examples that differ."""
    text = page.read_text()
    wrong = 0
    count = 0

    def compare(match: re.Match) -> str:
        nonlocal wrong, count
        count += 1
        printed = run(match["command"], environment)
        if printed == match["output"]:
            return match[0]
        wrong += 1
        if not update:
            print(f"{page}: «{match['command']}» prints something else now:")
            lines = difflib.unified_diff(match["output"].splitlines(), printed.splitlines(), "page", "program", "", "",
                                         2, "")
            print("\n".join(lines))
        return match[1] + printed + match[4]

    renewed = EXAMPLE.sub(compare, text)
    if count == 0:
        print(f"{page}: has no examples")
        return 1
    if update and wrong:
        page.write_text(renewed)
        print(f"{page}: {wrong} of {count} examples rewritten")
        return 0
    return wrong


def main(arguments: list[str]) -> int:
    update = "--update" in arguments
    kerf, *pages = [a for a in arguments if a != "--update"]
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "kerf").symlink_to(pathlib.Path(kerf).resolve())
        environment = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}", NO_COLOR="1", LC_ALL="C.UTF-8")
        wrong = sum(check(pathlib.Path(page), environment, update) for page in pages)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

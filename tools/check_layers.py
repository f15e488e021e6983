#!/usr/bin/env python3
"""Refuses an include that points upward: a file under src/kerf/<folder> may include its own folder and
folders of strictly lower rank. The ranks are those of docs/design.md; a folder without one is an error."""
import pathlib
import re
import sys

RANK = {
    "base": 0, "tensor": 1, "numbers": 1, "dist": 1, "linalg": 1, "formats": 2, "quantizers": 3, "io": 3,
    "text": 3, "kernels": 3, "calib": 4, "kv": 4, "model": 5, "methods": 6, "train": 6, "eval": 6, "export": 6,
    "footprint": 6, "search": 7, "report": 7, "study": 8, "server": 8, "cli": 9,
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]kerf/([a-z_0-9]+)/', re.M)


def main(root: pathlib.Path) -> int:
    wrong = []
    for path in sorted((root / "src/kerf").rglob("*")):
        if path.suffix not in (".h", ".cpp", ".def"):
            continue
        folder = path.relative_to(root / "src/kerf").parts[0]
        if folder not in RANK:
            wrong.append(f"{path.relative_to(root)}: folder «{folder}» has no rank in tools/check_layers.py")
            continue
        for target in INCLUDE.findall(path.read_text()):
            if target not in RANK or (target != folder and RANK[target] >= RANK[folder]):
                wrong.append(f"{path.relative_to(root)}: {folder} [{RANK[folder]}] must not include "
                             f"{target} [{RANK.get(target, 'no rank')}]")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

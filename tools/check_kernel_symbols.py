#!/usr/bin/env python3
"""Refuses kernel objects that could bring instructions of one CPU into code that runs on every CPU.

The files of src/kerf/kernels/<isa>/ are compiled with that instruction set. Three ways lead from there to a
crash on an older CPU, and each is an error:
 - a weak symbol (inline function, template): the linker may keep this copy for all callers of the program;
 - a function that other files can call by a name that does not say for which CPU it is;
 - a global constructor: it runs at start, whatever the CPU.
So is an include of anything but intrinsics, <cstddef>, <cstdint> and kernel headers that say that everything
in them has internal linkage.

usage: check_kernel_symbols.py SOURCE_ROOT NM OBJECT...   (objects outside kernels/<isa>/ are passed over)"""
import pathlib
import re
import subprocess
import sys

ISAS = ("avx2", "avx512vnni", "neon")
ALLOWED_SYSTEM = {"cstddef", "cstdint", "immintrin.h", "arm_neon.h"}
ALLOWED_SHARED = {"kernel.h", "blocks.h", "loops.h", "encoded_rows.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def isa_of(path: pathlib.Path) -> str | None:
    parts = path.parts
    return next((b for a, b in zip(parts, parts[1:]) if a == "kernels" and b in ISAS), None)


def wrong_symbols(nm: str, obj: pathlib.Path, isa: str) -> list[str]:
    listing = subprocess.run([nm, "-C", str(obj)], check=True, capture_output=True, text=True).stdout
    wrong = []
    for line in listing.splitlines():
        kind, name = line[17:18], line[19:]
        if kind in "wWvVu":
            wrong.append(f"weak symbol {name}")
        elif kind in "TBDRCG" and not name.startswith((f"kerf::kernels::{isa}::", f"kerf::kernels::{isa}_table")):
            wrong.append(f"global symbol {name} is not in kerf::kernels::{isa}")
        elif "_GLOBAL__sub_I" in name or "__static_initialization" in name:
            wrong.append(f"global constructor {name}")
    return [f"{obj}: {text}" for text in wrong]


def wrong_includes(root: pathlib.Path, isa: str) -> list[str]:
    folder = root / "src/kerf/kernels" / isa
    shared = [folder.parent / name for name in sorted(ALLOWED_SHARED)]
    wrong = []
    for path in [*sorted(folder.glob("*.h")), *sorted(folder.glob("*.cpp")), *shared]:
        for target in INCLUDE.findall(path.read_text()):
            kernel = re.fullmatch(rf"kerf/kernels/(?:{isa}/\w+\.h|(\w+\.h))", target)
            if not (target in ALLOWED_SYSTEM or kernel and (kernel[1] is None or kernel[1] in ALLOWED_SHARED)):
                wrong.append(f"{path.relative_to(root)}: includes {target}")
    return wrong


def main(root: str, nm: str, *objects: str) -> int:
    found: dict[str, list[pathlib.Path]] = {}
    for name in objects:
        if isa := isa_of(pathlib.Path(name)):
            found.setdefault(isa, []).append(pathlib.Path(name))
    wrong = []
    for isa, paths in found.items():
        wrong += wrong_includes(pathlib.Path(root), isa)
        for path in paths:
            wrong += wrong_symbols(nm, path, isa)
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{sum(map(len, found.values()))} objects of {', '.join(found) or 'no instruction set'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

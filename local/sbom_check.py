"""Checks the bills of materials of the shipped binaries: sbom_check.py FOLDER.

Each Lambda of the template must have one. It must name its binary, list only packages of Cargo.lock in their versions,
include the packages that every binary is linked with, and include no package for tests only.
"""

import json
import pathlib
import re
import sys
import tomllib

# OpenSSL's source, the database driver, and the async runtime.
LINKED = ["openssl-src", "tokio-postgres", "tokio"]
FOR_TESTS = ["boxoffice-testkit", "boxoffice-fuzz", "libfuzzer-sys", "tempfile", "jsonschema"]


def faults(name: str, bill: dict, locked: set[tuple[str, str]]) -> list[str]:
    components = [(c["name"], c["version"]) for c in bill.get("components", [])]
    versions = dict(components)
    found = []
    if (bill.get("bomFormat"), bill.get("specVersion")) != ("CycloneDX", "1.5"):
        found.append("is not CycloneDX 1.5")
    if bill.get("metadata", {}).get("component", {}).get("name") != name:
        found.append(f"describes {bill.get('metadata', {}).get('component', {}).get('name')!r}")
    found += [f"lists {n} {v}, which is not in Cargo.lock" for n, v in components if (n, v) not in locked]
    found += [f"does not list {n}" for n in LINKED if n not in versions]
    found += [f"lists {n}, which is for tests" for n in FOR_TESTS if n in versions]
    found += [f"has no purl for {c['name']}" for c in bill.get("components", []) if not c.get("purl")]
    return found


def main(folder: pathlib.Path) -> int:
    lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text())
    locked = {(package["name"], package["version"]) for package in lock["package"]}
    lambdas = re.findall(r"\bBinary: ([a-z-]+)", pathlib.Path("template.yaml").read_text())
    bills = {path.name.removesuffix(".cdx.json"): json.loads(path.read_text()) for path in folder.glob("*.cdx.json")}
    wrong = [f"{name}: has no bill of materials" for name in lambdas if name not in bills]
    for name, bill in sorted(bills.items()):
        wrong += [f"{name}: {fault}" for fault in faults(name, bill, locked)]
    if wrong or not lambdas:
        print("\n".join(wrong or ["the template names no binaries"]), file=sys.stderr)
        return 1
    counts = sorted(len(bill["components"]) for bill in bills.values())
    print(f"{len(bills)} bills of materials in {folder}, with {counts[0]} to {counts[-1]} components each, agree with Cargo.lock")
    return 0


sys.exit(main(pathlib.Path(sys.argv[1])))

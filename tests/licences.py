#!/usr/bin/env python3
"""Checks the dependencies by deny.toml without cargo-deny: licences, banned crates, sources.

It knows the part of deny.toml that this project uses.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "packaging"))
sys.dont_write_bytecode = True
from copyright import alternatives  # noqa: E402, found only once the path is set

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]


def strings(text):
    return re.findall(r'"([^"]*)"', text)


def policy():
    """The allowed licences, the exceptions by crate, and the banned crates."""
    text = (ROOT / "deny.toml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^\s*#.*$|\s+#[^\"\n]*$", "", text)
    sections = dict(re.findall(r"(?ms)^\[(\w+)\]\n(.*?)(?=^\[|\Z)", text))
    lists = {
        (section, key): body
        for section, lines in sections.items()
        for key, body in re.findall(r"(?ms)^([\w-]+) = \[(.*?)\]$", lines)
    }
    exceptions = {
        crate: set(strings(allowed))
        for crate, allowed in re.findall(
            r'crate = "([^"]+)", allow = \[([^\]]*)\]', lists[("licenses", "exceptions")]
        )
    }
    banned = re.findall(r'crate = "([^"]+)"', lists[("bans", "deny")])
    return set(strings(lists[("licenses", "allow")])), exceptions, set(banned)


def is_allowed(expression, allowed):
    """Whether one way of reading the SPDX expression is covered by the allowed licences."""
    return any(way <= allowed for way in alternatives(expression))


def packages():
    """Every package in a Linux build with all features and its tests."""
    found = {}
    for target in TARGETS:
        command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
        output = subprocess.run(
            command + ["--filter-platform", target], cwd=ROOT, check=True, stdout=subprocess.PIPE
        ).stdout
        metadata = json.loads(output)
        used = {node["id"] for node in metadata["resolve"]["nodes"]}
        found.update((p["id"], p) for p in metadata["packages"] if p["id"] in used)
    return list(found.values())


def main():
    allowed, exceptions, banned = policy()
    problems = []
    checked = packages()
    for package in checked:
        name = f"{package['name']} {package['version']}"
        licence = package["license"] or ""
        if not licence:
            problems.append(f"{name} names no licence")
        elif not is_allowed(licence, allowed | exceptions.get(package["name"], set())):
            problems.append(f"{name}: {licence} is not allowed")
        if package["name"] in banned:
            problems.append(f"{name} is banned")
        if package["source"] not in (None, CRATES_IO):
            problems.append(f"{name} comes from {package['source']}")
    for problem in sorted(problems):
        print(f"licences: {problem}", file=sys.stderr)
    print(f"licences: {len(checked)} packages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

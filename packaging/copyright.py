#!/usr/bin/env python3
"""Writes the copyright file of the packages, in Debian's machine-readable format, to standard output.

The programs contain the crates they are built from, so the packages contain their notices. Cargo lists the linked
crates; copyright holders and licence are read from each crate. If a crate offers a choice, one licence is chosen. The
script fails on a licence whose text it does not know.

With --spdx it prints all these licences as one SPDX expression instead.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Accepted licences, the preferred first, with Debian's name.
NAMES = {
    "MIT": "Expat",
    "Apache-2.0": "Apache-2.0",
    "ISC": "ISC",
    "Zlib": "Zlib",
    "Unicode-3.0": "Unicode-3.0",
    "MPL-2.0": "MPL-2.0",
}

# Short texts for licences that every system has in full, or that a crate need not contain.
SHORT_TEXTS = {
    "Apache-2.0": """\
Licensed under the Apache License, Version 2.0; you may obtain a copy of the License at
https://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an
"AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific
language governing permissions and limitations under the License.

On Debian systems its full text is in /usr/share/common-licenses/Apache-2.0; other systems have it beside this file.""",
    "MPL-2.0": """\
This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0; you can obtain a copy of it at
https://mozilla.org/MPL/2.0/. The source of a crate under it, which is used unchanged, is at
https://crates.io/crates/NAME/VERSION.

On Debian systems its full text is in /usr/share/common-licenses/MPL-2.0.""",
}

# The full text of the Apache licence, in files that contain it among others.
APACHE = re.compile(
    r"(?s) *Apache License\s+Version 2\.0, January 2004.*?END OF TERMS AND CONDITIONS"
    r"(?:\s+APPENDIX:.*?limitations under the License\.)?"
)

# The first words of the other licences, after the copyright lines.
BEGINNINGS = {
    "MIT": "Permission is",
    "Unicode-3.0": "Permission is",
    "ISC": "Permission to",
    "Zlib": "This software is provided",
}

HEADER = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: muxtray
Comment: The programs contain, linked, the crates below vendor/, named as `cargo vendor` would lay them out, and the
 Rust standard library. If these offer several licences, the chosen one is named.

Files: *
Copyright: 2026 The muxtray contributors
License: Expat or Apache-2.0
"""


def alternatives(expression):
    """Returns the sets of licences that satisfy an SPDX expression: AND, OR, parentheses and the old slash."""
    expression = expression.replace("/", " OR ")
    tokens = re.findall(r"\(|\)|\bAND\b|\bOR\b|[^\s()]+(?: WITH [^\s()]+)?", expression)
    tokens.reverse()

    def either():
        ways = both()
        while tokens and tokens[-1] == "OR":
            tokens.pop()
            ways = ways + both()
        return ways

    def both():
        ways = single()
        while tokens and tokens[-1] == "AND":
            tokens.pop()
            ways = [one | other for other in single() for one in ways]
        return ways

    def single():
        token = tokens.pop()
        if token != "(":
            return [{token}]
        ways = either()
        tokens.pop()
        return ways

    return either()


def chosen(expression):
    """Returns the licences under which a crate is used."""
    ranks = {name: rank for rank, name in enumerate(NAMES)}
    possible = [way for way in alternatives(expression) if all(name in ranks for name in way)]
    if not possible:
        sys.exit(f"copyright.py: licence {expression} is not in NAMES; check whether it is acceptable")
    return sorted(
        min(possible, key=lambda way: sorted((ranks[name] for name in way), reverse=True))
    )


def linked():
    """Returns the packages linked into the programs of the default build, sorted by name."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    host = re.search(r"host: (\S+)", output(["rustc", "-vV"])).group(1)
    metadata = json.loads(output(command + ["--filter-platform", host]))
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    seen, waiting = set(), [root]
    while waiting:
        this = waiting.pop()
        if this in seen:
            continue
        seen.add(this)
        for dependency in nodes[this]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            targets = packages[dependency["pkg"]]["targets"]
            is_macro = any("proc-macro" in target["kind"] for target in targets)
            if None in kinds and not is_macro:
                waiting.append(dependency["pkg"])
    crates = [packages[this] for this in seen - {root}]
    return sorted(crates, key=lambda crate: (crate["name"], crate["version"]))


def output(command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def notices(crate, licences):
    """Returns the licence files of a crate, without those of licences that were not chosen."""
    others = {"MIT", "APACHE", "ZLIB", "0BSD", "UNLICENSE", "BOOST", "X11"} - {
        licence.split("-")[0].upper() for licence in licences
    }
    directory = Path(crate["manifest_path"]).parent
    found = []
    for path in sorted(directory.iterdir()):
        name = path.name.upper()
        if (
            path.is_file()
            and re.match(r"LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE", name)
            and path.suffix != ".spdx"
            and not any(other in name for other in others)
        ):
            found.append(path)
    return found


def holders(crate, files):
    """Returns the copyright lines; if there are none, the authors."""
    claims = []
    for path in files:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            claim = re.match(r"\W*Copyright\s+(.*?(\d{4}|\(c\)|©).*)", line, re.IGNORECASE)
            claim = claim and re.sub(r"(?i)^(?:(?:\(c\)|©)\s*)+", "", claim.group(1)).strip(" .")
            # A year alone is no holder; the licence's own appendix is a form to fill in.
            if claim and re.search(r"[^\W\d]{2}", claim) and "yyyy" not in claim and claim not in claims:
                claims.append(claim)
    return claims or crate["authors"] or [f"The {crate['name']} developers"]


def field(text):
    """Returns the text as the continuation lines of a field."""
    return "\n".join(f" {line}" if line.strip() else " ." for line in text.strip().splitlines())


def text_of(licence, crate, files):
    """Returns the text of a licence without copyright lines, which are printed with the crates."""
    if licence in SHORT_TEXTS:
        return SHORT_TEXTS[licence]
    if licence == "MIT":
        files = [ROOT / "LICENSE-MIT"]
    mark = BEGINNINGS.get(licence)
    for path in files:
        text = path.read_text(encoding="utf-8")
        if mark and mark in text:
            return text[text.index(mark) :]
    sys.exit(f"copyright.py: no text of {licence} found in {crate['name']}")


def spdx():
    """Returns the licences of the programs with everything that is linked."""
    licences = {licence for crate in linked() for licence in chosen(crate["license"] or "")}
    return " AND ".join(["(MIT OR Apache-2.0)", *sorted(licences)])


def main():
    if sys.argv[1:] == ["--spdx"]:
        print(spdx())
        return
    texts = {"MIT": text_of("MIT", None, []), "Apache-2.0": SHORT_TEXTS["Apache-2.0"]}
    parts = [HEADER.rstrip()]
    others = []
    for crate in linked():
        licences = chosen(crate["license"] or "")
        files = notices(crate, licences)
        third = [path for path in files if re.search(r"THIRD|NOTICE", path.name.upper())]
        files = [path for path in files if path not in third]
        place = f"vendor/{crate['name']}-{crate['version']}"
        names = " and ".join(NAMES[licence] for licence in licences)
        for licence in licences:
            texts.setdefault(licence, text_of(licence, crate, files))
        parts.append(
            f"Files: {place}/*\nCopyright:\n{field(chr(10).join(holders(crate, files)))}\nLicense: {names}"
        )
        for path in third:
            name = f"{crate['name']}-{path.name}".lower()
            parts.append(
                f"Files: {place}/{path.name}\nCopyright:\n{field(chr(10).join(holders(crate, [path])))}\nLicense: {name}"
            )
            text = APACHE.sub(SHORT_TEXTS["Apache-2.0"], path.read_text(encoding="utf-8"))
            others.append(f"License: {name}\n{field(text)}")
    parts.append(
        "Files: rust-std/*\nCopyright: The Rust Project Developers (see https://thanks.rust-lang.org)\n"
        "License: Expat\nComment: The standard library and the crates it is made of, linked by the compiler."
    )
    parts.extend(f"License: {NAMES[licence]}\n{field(text)}" for licence, text in sorted(texts.items()))
    print("\n\n".join(parts + others))


if __name__ == "__main__":
    main()

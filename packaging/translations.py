#!/usr/bin/env python3
"""Keeps the translations (src/po) in step with the source.

    packaging/translations.py update    write src/po/muxtray.pot and merge it into every catalogue
    packaging/translations.py check     report texts and translations that do not agree; change nothing

A text is written in English where it is used, as tr!("{path} is {state}", path, state = …), or as marked!("…") if it is
kept in a table; in a table of ssh's messages it stands alone. tr! replaces placeholders at run time, so a wrong name is
found here and not by the compiler. A comment `// Translators: …` is copied for the texts of the statement, item or match
arm below it.

The catalogues are checked with msgcmp and msgfmt of GNU gettext: every text is translated, none is fuzzy, and the
placeholders of a translation are those of its text.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
CATALOGUES = sorted((SOURCE / "po").glob("*.po"))
TEMPLATE = SOURCE / "po" / "muxtray.pot"
TEST_FILES = {"tests.rs", "samples.rs", "test_home.rs", "fake.rs"}
# The plural rules that src/i18n/catalogue.rs knows: one form, or one for 1 and one for every other number.
PLURAL_RULES = {"nplurals=1; plural=0;", "nplurals=2; plural=(n != 1);"}

STRING = r'"(?:[^"\\]|\\.)*"'
# String and character literals, so that a quote, bracket or comment sign inside is not taken for one of the code's.
LITERAL = rf"r(#*)\".*?\"\1|{STRING}|'(?:[^'\\]|\\[^']+)'"
COMMENT = re.compile(rf"{LITERAL}|//[^\n]*", re.S)
TESTS = re.compile(r"#\[cfg\(test\)\]\n(?:pub(?:\(\w+\))? )?mod tests\b")
CALL = re.compile(r"\b(?:tr|marked)!\(")
# A table of ssh's messages. Its wordings are ssh's own words.
TABLE = re.compile(r"\bssh_messages! \{.*?\n\}", re.S)
WORDINGS = re.compile(rf"\[\s*(?:{STRING},?\s*)+\] \{{")
PIECE = re.compile(rf"{LITERAL}|.", re.S)
TEXT = re.compile(rf"\s*(?:({STRING})\s*=>\s*)?({STRING})\s*(?:\|\s*({STRING})\s*%.*)?$", re.S)
ARGUMENT = re.compile(r"\s*(\w+)\s*(?:=(?!=).*)?$", re.S)
# The comment, and the statement, item or match arm below it: up to a line of the same indentation that ends one.
NOTE = re.compile(r"^( *)// Translators: (.*(?:\n\1// .*)*)\n((?:\1.*\n)*?\1(?:[^ \n].*)?[;,})]\n)", re.M)
ESCAPE = re.compile(r"\\(?:\n\s*|u\{(\w+)\}|(.))", re.S)


def unescaped(literal):
    """The text of a Rust string literal; None for None."""
    one = lambda match: chr(int(match[1], 16)) if match[1] else {"n": "\n", "t": "\t", None: ""}.get(match[2], match[2])
    return literal and ESCAPE.sub(one, literal[1:-1])


def arguments(code, start):
    """The arguments of the macro call whose bracket opens before `start`."""
    parts, depth = [""], 1
    for piece in PIECE.finditer(code, start):
        depth += (piece[0] in "([{") - (piece[0] in ")]}")
        if depth == 0:
            return [part for part in parts if part.strip()]
        if depth == 1 and piece[0] == ",":
            parts.append("")
        else:
            parts[-1] += piece[0]
    sys.exit(f"a bracket is never closed: {code[start : start + 60]!r}")


def notes(source):
    """Every comment for translators, with the part of the source that it is for."""
    for note in NOTE.finditer(source):
        yield note.span(3), " ".join(line.strip().removeprefix("// ") for line in note[2].split("\n"))


class Messages:
    """The texts of the source in the order of the files, each once, and their problems."""

    def __init__(self):
        self.entries, self.problems = {}, []
        for path in sorted(SOURCE.rglob("*.rs")):
            if path.name not in TEST_FILES and "tests" not in path.relative_to(SOURCE).parts:
                self.scan(path)

    def scan(self, path):
        source, file = TESTS.split(path.read_text(encoding="utf-8"))[0], path.relative_to(ROOT)
        # Comments become blanks, so that a text has the same place in both.
        code = COMMENT.sub(lambda match: " " * len(match[0]) if match[0].startswith("//") else match[0], source)
        texts = [(call.start(), arguments(code, call.end())) for call in CALL.finditer(code)]
        for table in TABLE.finditer(code):
            rows = WORDINGS.sub(lambda match: " " * len(match[0]), table[0])
            texts += [(table.start() + text.start(), [text[0]]) for text in re.finditer(STRING, rows)]
        for start, parts in sorted(texts):
            line = source.count("\n", 0, start)
            text = TEXT.match(parts[0])
            names = {match[1] if (match := ARGUMENT.match(part)) else None for part in parts[1:]}
            wrong = lambda problem: self.problems.append(f"{file}:{line + 1}: {problem}")
            if not text or None in names:
                # text::translated() passes on the texts that marked! has marked.
                if parts != ["text"]:
                    wrong('neither tr!("…", name, name = …) nor tr!("…" | "…" % number)')
                continue
            context, singular, plural = (unescaped(text[group]) for group in (1, 2, 3))
            names |= {"n"} if plural else set()
            for form in filter(None, [singular, plural]):
                if sorted(set(re.findall(r"\{(.*?)\}", form))) != sorted(names) or "{{" in form or "}}" in form:
                    wrong(f"the placeholders of {form!r} are not {sorted(names)}")
            entry = self.entries.setdefault((context, singular), {"plural": plural, "names": names, "files": {}, "comments": {}})
            if (entry["plural"], entry["names"]) != (plural, names):
                wrong(f"{singular!r} has another plural or other arguments than elsewhere")
            # Dictionaries keep each once, in order.
            entry["files"][str(file)] = None
            entry["comments"] |= {note: None for (first, end), note in notes(source) if first <= start < end}

    def template(self):
        """The template, with files but no line numbers, which every change would move."""
        quoted = lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
        lines = ["# The texts of muxtray, for translation. Written by packaging/translations.py update.", "#"]
        lines += ['msgid ""', 'msgstr ""', '"Project-Id-Version: muxtray\\n"', '"MIME-Version: 1.0\\n"']
        lines += ['"Content-Type: text/plain; charset=UTF-8\\n"', '"Content-Transfer-Encoding: 8bit\\n"', ""]
        for (context, text), entry in self.entries.items():
            lines += [f"#. {comment}" for comment in entry["comments"]]
            lines += [f"#: {file}" for file in entry["files"]]
            lines += ["#, python-brace-format"] if entry["names"] else []
            lines += [f"msgctxt {quoted(context)}"] if context is not None else []
            lines += [f"msgid {quoted(text)}"]
            if entry["plural"] is None:
                lines += ['msgstr ""', ""]
            else:
                lines += [f"msgid_plural {quoted(entry['plural'])}", 'msgstr[0] ""', 'msgstr[1] ""', ""]
        return "\n".join(lines)


def gettext(*command):
    """The complaints of a program of GNU gettext."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    complaints = subprocess.run(command, capture_output=True, text=True, env=environment).stderr.splitlines()
    # The header has no fields for translators and dates, which git knows.
    return [line for line in complaints if "warning: header field" not in line]


def check(messages):
    """Every disagreement between source, template and catalogues."""
    problems = list(messages.problems)
    if not TEMPLATE.exists() or TEMPLATE.read_text(encoding="utf-8") != messages.template():
        problems.append(f"{TEMPLATE.relative_to(ROOT)} differs from the source; run packaging/translations.py update")
    for path in CATALOGUES:
        rule = re.search(r"Plural-Forms: (.*?)\\n", path.read_text(encoding="utf-8"))
        if not rule or rule[1] not in PLURAL_RULES:
            problems.append(f"{path.relative_to(ROOT)}: Plural-Forms is not one of: {' '.join(sorted(PLURAL_RULES))}")
        # A text that the source no longer has causes only a warning of msgcmp's.
        problems += gettext("msgcmp", path, TEMPLATE)
        problems += gettext("msgfmt", "--check", "--output-file=/dev/null", path)
    return problems


def update(messages):
    TEMPLATE.write_text(messages.template(), encoding="utf-8")
    for path in CATALOGUES:
        options = ["--quiet", "--update", "--backup=none", "--no-wrap", "--no-fuzzy-matching"]
        subprocess.run(["msgmerge", *options, path, TEMPLATE], check=True)
    return messages.problems


def main():
    actions = {"update": update, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    messages = Messages()
    problems = actions[sys.argv[1]](messages)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"translations: {len(messages.entries)} texts, {len(CATALOGUES)} catalogues, {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()

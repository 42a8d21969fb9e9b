#!/usr/bin/env python3
"""The texts for translation: out of the source, into the template and the catalogues, and whether all of it agrees.

    packaging/translations.py update    writes src/po/muxtray.pot, and merges it into the catalogues by msgmerge
    packaging/translations.py check     says what is wrong, and changes nothing

A text is translated where it is used: tr!("{path} is {state}", path, state = socket.state.word()). What is kept for
later stands in marked!("…"). tr! fills in the placeholders at run time, so the compiler does not see a wrong one:
`check` does, in the source and in every catalogue, and has gettext's msgfmt check those, too, where it is installed.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
CATALOGUES = SOURCE / "po"
TEMPLATE = CATALOGUES / "muxtray.pot"

# Files of tests: `#[cfg(test)]` stands where they are declared.
TEST_FILES = {"tests.rs", "samples.rs", "test_home.rs", "fake.rs"}

# The parts of the source in which every text is translated. What is not among them is looked at for uses of tr! only.
CONVERTED = [
    "model",
    "diagnose",
    "decide",
    "present",
    "actions",
    "mux",
    "observe",
    "discover",
    "watch",
    "scan.rs",
    "engine",
    "run.rs",
    "cli",
    "config.rs",
    "config",
    "autostart.rs",
    "autostart",
    "applet",
]
# Of these, what stays English in every language: what is made into the man page and the README, usage texts, scripts
# for shells, the comments of the configuration file, and the log.
NOT_CONVERTED = [
    "model/guide.rs",
    "cli/man",
    "cli/man.rs",
    "cli/args.rs",
    "cli/completions.rs",
    "engine/mod.rs",
    "applet/clipboard.rs",
    "applet/main.rs",
    "applet/private_directory.rs",
    "applet/lean_tray",
    "applet/gtk_tray/mod.rs",
]

# Texts that are no words to a person, though they look so: commands and configuration to be copied, the comments of
# muxtray's own files (one file in two languages would be two), the words of other programs by which their
# messages are recognised.
COMMAND = re.compile(
    r"^(muxtray|sudo|systemctl|ssh|chmod|chown|mkdir|kill|mv|namei|df|\(umask|Host|ControlPath|ControlMaster|ControlPersist|ServerAlive"
    r"|Include|raise)\b|^ +(ControlPath|ControlPersist|ServerAlive)|^# The configuration of muxtray|^(\[Desktop Entry\]|\{GROUP\})|^Permission denied$"
)
OF_OTHERS = {
    "config/file.rs": "the TOML parser's messages",
    "present/explain.rs": "ssh's messages",
    "discover/hosts.rs": "ssh's messages",
    "actions/ssh/session.rs": "ssh's messages",
    "model/finding.rs": "documentation of the ids",
    "observe/netlink.rs": "for the log",
    "observe/process.rs": "how ssh names its processes",
    "mux/wire.rs": "names of the protocol",
}


class Wrong(Exception):
    """Something in the source that cannot be translated."""


# ---- Rust, as far as it matters here ----

TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<raw>b?c?r(?P<fence>\#*)".*?"(?P=fence))
    |(?P<bytes>b"(?:[^"\\]|\\.)*")
    |(?P<string>c?"(?:[^"\\]|\\.)*")
    |(?P<char>b?'(?:[^'\\]|\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.))')
    |(?P<word>'?[A-Za-z_]\w*)
    |(?P<number>\d\w*)
    |(?P<mark>=>|.)""",
    re.S | re.X,
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'"}
ESCAPE = re.compile(r"\\(?:\n\s*|x([0-9a-fA-F]{2})|u\{([0-9a-fA-F_]+)\}|(.))", re.S)
OPEN, CLOSE = "([{", ")]}"


@dataclass
class Token:
    """A piece of source; `text` of a string is what it stands for."""

    kind: str
    text: str
    line: int


def tokens(source):
    """The tokens of a file, comments among them."""
    found, line = [], 1
    for match in TOKEN.finditer(source):
        kind, text = match.lastgroup, match.group()
        if kind == "fence" or match.group("raw"):
            kind = "bytes" if text.startswith("b") else "string"
            value = text[text.index('"') + 1 : text.rindex('"')]
        elif kind == "string":
            value = ESCAPE.sub(unescape, text[text.index('"') + 1 : -1])
        else:
            value = text
        if kind != "space":
            found.append(Token(kind, value, line))
        line += text.count("\n")
    return found


def unescape(match):
    byte, scalar, letter = match.groups()
    if byte or scalar:
        return chr(int((byte or scalar).replace("_", ""), 16))
    return ESCAPES[letter] if letter else ""


def group(found, start):
    """Where the bracket that opens at `start` closes."""
    depth = 0
    for at in range(start, len(found)):
        if found[at].kind == "mark":
            depth += (found[at].text in OPEN) - (found[at].text in CLOSE)
            if depth == 0:
                return at
    raise Wrong(f"line {found[start].line}: a bracket is never closed")


def without_tests(found):
    """The tokens but for modules under #[cfg(test)]."""
    kept, at = [], 0
    while at < len(found):
        head = [token.text for token in found[at : at + 12]]
        mod = 11 if head[7:8] == ["pub"] else 7  # pub ( super )
        if head[:7] == ["#", "[", "cfg", "(", "test", ")", "]"] and head[mod : mod + 1] == ["mod"]:
            at += mod + 2
            at = (group(found, at) if found[at].text == "{" else at) + 1
        else:
            kept.append(found[at])
            at += 1
    return kept


# ---- Messages ----


@dataclass
class Message:
    """A text for translation."""

    context: str | None
    text: str
    plural: str | None
    arguments: frozenset
    files: list = field(default_factory=list)
    comments: list = field(default_factory=list)

    @property
    def key(self):
        return (self.context, self.text)

    @property
    def is_formatted(self):
        return bool(self.arguments) or self.plural is not None


def placeholders(text):
    """The names in {…}; raises for what tr! would leave as it is."""
    names, at = set(), 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            raise Wrong("a doubled brace: give the text with the brace as an argument")
        if text[at] == "}":
            raise Wrong("a } without its {")
        if text[at] == "{":
            end = text.find("}", at)
            name = text[at + 1 : end] if end > 0 else ""
            if not re.fullmatch(r"[a-z_]+", name):
                raise Wrong(f"the placeholder {{{name}}}: names only, no numbers and no format")
            names.add(name)
            at = end
        at += 1
    return names


def message(inner, file):
    """The message in the brackets of a tr!, whose tokens these are."""
    parts, depth = [[]], 0
    for token in inner:
        depth += (token.text in OPEN) - (token.text in CLOSE) if token.kind == "mark" else 0
        if depth == 0 and token.kind == "mark" and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    head, arguments = parts[0], set()
    context = plural = None
    if len(head) > 2 and head[1].text == "=>":
        context, head = head[0].text, head[2:]
    if not head or head[0].kind != "string":
        raise Wrong("no string to translate")
    text = head[0].text
    if len(head) > 1:
        if [token.kind for token in head[1:4]] != ["mark", "string", "mark"] or head[1].text + head[3].text != "|%":
            raise Wrong('neither tr!("…") nor tr!("…" | "…" % number)')
        plural = head[2].text
    for part in parts[1:]:
        if not part:
            raise Wrong("a comma at the end")
        if part[0].kind != "word" or (len(part) > 1 and part[1].text != "="):
            raise Wrong("an argument without a name")
        arguments.add(part[0].text)
    found = Message(context, text, plural, frozenset(arguments), [file])
    expected = arguments | ({"n"} if plural else set())
    if found.is_formatted:
        for form in filter(None, [text, plural]):
            if placeholders(form) != expected:
                raise Wrong(f"{form!r} does not have the placeholders {sorted(expected)}")
    elif "{" in text or "}" in text:
        raise Wrong(f"{text!r} has braces but no argument")
    return found


def comments_before(found, at, blank_lines):
    """What `// Translators:` above says to the statement that this token is in."""
    line, depth = found[at].line, 0
    for back in range(at, -1, -1):
        token = found[back]
        if token.kind == "mark":
            depth += (token.text in CLOSE) - (token.text in OPEN)
        is_over = token.text == ";" and token.kind == "mark" and depth <= 0
        if is_over or any(token.line < blank <= line for blank in blank_lines):
            return []
        if token.kind == "comment" and "Translators:" in token.text:
            said = [token.text.split("Translators:", 1)[1].strip()]
            for next_token in found[back + 1 : at]:
                if next_token.kind != "comment":
                    break
                said.append(next_token.text.lstrip("/ "))
            return [" ".join(said)]
    return []


@dataclass
class Scan:
    """What a file holds."""

    messages: list
    problems: list


def scan(path):
    """The messages of a file, and what is wrong with its texts."""
    source = path.read_text(encoding="utf-8")
    name = str(path.relative_to(SOURCE))
    blank_lines = [number for number, line in enumerate(source.split("\n"), 1) if not line.strip()]
    found = without_tests(tokens(source))
    result = Scan([], [])
    inside = [False] * len(found)
    for at, token in enumerate(found):
        head = [other.text for other in found[at : at + 3]]
        if token.kind != "word" or len(head) < 3 or head[0] not in ("tr", "marked") or head[1:] != ["!", "("]:
            continue
        end = group(found, at + 2)
        inside[at : end + 1] = [True] * (end + 1 - at)
        inner = [other for other in found[at + 3 : end] if other.kind != "comment"]
        # text::translated() itself looks up what marked! has marked.
        if name == "model/text.rs" and [other.text for other in inner] == ["text"]:
            continue
        try:
            new = message(inner, f"src/{name}")
            new.comments = comments_before(found, at, blank_lines)
            result.messages.append(new)
        except Wrong as wrong:
            result.problems.append(f"src/{name}:{token.line}: {wrong}")
    if is_converted(name):
        result.problems += untranslated(found, inside, name)
    return result


def is_converted(name):
    under = lambda roots: any(name == root or name.startswith(f"{root}/") for root in roots)
    return under(CONVERTED) and not under(NOT_CONVERTED)


# ---- Texts that were forgotten ----

SILENT_MACROS = {
    "trace", "debug", "info", "warn", "error", "panic", "unreachable", "assert", "assert_eq", "debug_assert", "concat",
}  # fmt: skip
WORDS = re.compile(r"[A-Za-z]{2,}[,:;]? +\(?[A-Za-z]{2,}")
WORD = re.compile(r"[a-z]{3,}")


def untranslated(found, inside, name):
    """Strings that read like words to a person and stand outside of tr!.

    Two words and more are seen anywhere; one word alone only where it is written out by itself, or is an error's
    message. One that is returned by itself ("ended".to_owned()) looks like any key, and is not seen.
    """
    if name in OF_OTHERS:
        return []
    problems = []
    for at, end in silent(found):
        inside[at : end + 1] = [True] * (end + 1 - at)
    for at, token in enumerate(found):
        if token.kind != "string" or inside[at]:
            continue
        shown = re.sub(r"\{[^}]*\}", " ", token.text)
        before = "".join(other.text for other in found[max(0, at - 4) : at])
        speaks = before.endswith(("#[error(", "write_str(", "write!(f,", "write_str(&"))
        looks = WORDS.search(shown) or (speaks and WORD.search(shown))
        if looks and not COMMAND.search(token.text):
            problems.append(f"src/{name}:{token.line}: not translated: {token.text!r}")
    return problems


def silent(found):
    """From where to where a person reads nothing: logs, panics, attributes but #[error]."""
    for at, token in enumerate(found):
        following = [other.text for other in found[at + 1 : at + 3]]
        if token.kind == "word" and following == ["!", "("] and token.text in SILENT_MACROS:
            yield at, group(found, at + 2)
        elif token.text == "expect" and following[:1] == ["("]:
            yield at, group(found, at + 1)
        elif token.text == "#" and following[:1] == ["["] and following[1:] != ["error"]:
            yield at, group(found, at + 1)


# ---- Template and catalogues ----


def collect():
    """All messages in the order of the files, each once, and what is wrong."""
    messages, problems = {}, []
    for path in sorted(SOURCE.rglob("*.rs")):
        if path.name in TEST_FILES or "tests" in path.relative_to(SOURCE).parts:
            continue
        result = scan(path)
        problems += result.problems
        for new in result.messages:
            known = messages.setdefault(new.key, new)
            if known is new:
                continue
            if known.plural != new.plural:
                problems.append(f"{new.files[0]}: {new.text!r} has another plural than in {known.files[0]}")
            if known.arguments != new.arguments:
                problems.append(f"{new.files[0]}: {new.text!r} has other arguments than in {known.files[0]}")
            known.files += [file for file in new.files if file not in known.files]
            known.comments += [said for said in new.comments if said not in known.comments]
    return messages, problems


def quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def template(messages):
    """The template as gettext writes one; without line numbers, which every change would move."""
    lines = [
        "# The texts of muxtray, for translation. Written by packaging/translations.py update; see there.",
        "#",
        'msgid ""',
        'msgstr ""',
        '"Project-Id-Version: muxtray\\n"',
        '"MIME-Version: 1.0\\n"',
        '"Content-Type: text/plain; charset=UTF-8\\n"',
        '"Content-Transfer-Encoding: 8bit\\n"',
        "",
    ]
    for each in messages.values():
        lines += [f"#. {said}" for said in each.comments]
        lines += [f"#: {file}" for file in each.files]
        if each.is_formatted:
            lines.append("#, python-brace-format")
        if each.context is not None:
            lines.append(f"msgctxt {quoted(each.context)}")
        lines.append(f"msgid {quoted(each.text)}")
        if each.plural is None:
            lines.append('msgstr ""')
        else:
            lines += [f"msgid_plural {quoted(each.plural)}", 'msgstr[0] ""', 'msgstr[1] ""']
        lines.append("")
    return "\n".join(lines)


@dataclass
class Entry:
    """An entry of a catalogue."""

    fields: dict
    flags: set

    @property
    def key(self):
        return (self.fields.get("msgctxt"), self.fields["msgid"])

    @property
    def forms(self):
        return {name: text for name, text in self.fields.items() if name.startswith("msgstr")}


def entries(path):
    """The entries of a catalogue, its header first. Entries that are out of use (#~) do not count."""
    found = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
        fields, flags, current = {}, set(), None
        for line in block.splitlines():
            if line.startswith("#,"):
                flags |= {flag.strip() for flag in line[2:].split(",")}
            match = re.match(r'(?:(msg\w+(?:\[\d\])?) )?"(.*)"$', line)
            if match and not line.startswith("#"):
                current = match[1] or current
                text = re.sub(r"\\(.)", lambda escape: ESCAPES[escape[1]], match[2])
                fields[current] = fields.get(current, "") + text
        if "msgid" in fields:
            found.append(Entry(fields, flags))
    return found


def check_catalogue(path, messages):
    """What is wrong with a catalogue."""
    shown = path.relative_to(ROOT)
    header, *rest = entries(path)
    problems = []
    plurals = re.search(r"^Plural-Forms: nplurals=(\d);\s*plural=[^;]+;$", header.fields["msgstr"], re.M)
    if not plurals:
        return [f"{shown}: the header has no line like: Plural-Forms: nplurals=2; plural=(n != 1);"]
    known = {entry.key for entry in rest}
    problems += [f"{shown}: has no {text!r}; run packaging/translations.py update" for context, text in messages if (context, text) not in known]
    for entry in rest:
        wrong = lambda what: problems.append(f"{shown}: {entry.key[1]!r}: {what}")
        source = messages.get(entry.key)
        if source is None:
            wrong("is not in the source any more")
            continue
        if "fuzzy" in entry.flags:
            wrong("is marked as fuzzy")
        if entry.fields.get("msgid_plural") != source.plural:
            wrong("has another plural in the source")
        count = int(plurals[1]) if source.plural else 1
        if len(entry.forms) != count:
            wrong(f"has {len(entry.forms)} forms instead of {count}")
        expected = source.arguments | ({"n"} if source.plural else set())
        for text in entry.forms.values():
            if not text:
                wrong("is not translated")
                continue
            try:
                if source.is_formatted and placeholders(text) != expected:
                    wrong(f"the placeholders are not {sorted(expected)}: {text!r}")
                elif not source.is_formatted and ("{" in text or "}" in text):
                    wrong(f"braces without an argument: {text!r}")
            except Wrong as error:
                wrong(f"{error}: {text!r}")
            if text.strip() != text or re.search(r"\w\.$", text):
                wrong(f"blanks around it, or a full stop at its end: {text!r}")
    return problems


def check_by_gettext(path):
    """What gettext's own check says, where that is installed."""
    if not shutil.which("msgfmt"):
        return []
    command = ["msgfmt", "--check-format", "--check-domain", "--output-file=/dev/null", path]
    checked = subprocess.run(command, capture_output=True, text=True)
    return [] if checked.returncode == 0 else checked.stderr.splitlines()


def catalogues():
    return sorted(CATALOGUES.glob("*.po"))


def check(messages):
    problems = []
    if not TEMPLATE.exists() or TEMPLATE.read_text(encoding="utf-8") != template(messages):
        problems.append("src/po/muxtray.pot is not what the source has; run packaging/translations.py update")
    for path in catalogues():
        problems += check_catalogue(path, messages) + check_by_gettext(path)
    return problems


def update(messages):
    TEMPLATE.write_text(template(messages), encoding="utf-8")
    for path in catalogues():
        subprocess.run(
            ["msgmerge", "--quiet", "--update", "--backup=none", "--no-wrap", "--no-fuzzy-matching", path, TEMPLATE],
            check=True,
        )


def main():
    if sys.argv[1:] not in (["update"], ["check"]):
        sys.exit(__doc__)
    messages, problems = collect()
    if sys.argv[1] == "update":
        update(messages)
    else:
        problems += check(messages)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"translations: {len(messages)} texts, {len(catalogues())} catalogues, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

//! No file of the source uses items of a file that, directly or not, uses items of the first one.
//!
//! The source is scanned as text. A path counts as a use of the file that defines its item; `pub use` is followed to
//! that file. Importing a module counts only for the items used from it. Tests are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// `["applet", …]` for the program in src/applet, `["bin"]` for src/main.rs, otherwise the path in the library.
type Module = Vec<String>;

/// Modules that their parents declare under `#[cfg(test)]`.
const TEST_MODULES: [&str; 4] = ["tests", "samples", "test_home", "fake"];

#[derive(Default)]
struct Source {
    files: BTreeMap<Module, PathBuf>,
    code: BTreeMap<Module, String>,
    /// For each module the names that `pub use` exports, with the paths of the items.
    exports: BTreeMap<Module, BTreeMap<String, Module>>,
}

/// The modules that a module uses, each with one of the paths that do.
type Uses = BTreeMap<Module, String>;

impl Source {
    fn read() -> Self {
        let mut source = Self::default();
        source.add(Path::new("src"));
        let modules: Vec<Module> = source.code.keys().cloned().collect();
        for module in &modules {
            let (imports, _) = parse(&tokens(&source.code[module]));
            for import in imports.iter().filter(|import| import.is_public) {
                if let Some(item) = source.absolute(module, &import.path) {
                    let exports = source.exports.entry(module.clone()).or_default();
                    exports.insert(import.name.clone(), item);
                }
            }
        }
        source
    }

    fn add(&mut self, path: &Path) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if TEST_MODULES.contains(&stem) {
            return;
        }
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                self.add(&entry.unwrap().path());
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix("src").unwrap().with_extension("");
            let mut module: Module = below
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            match stem {
                "main" if module.len() == 1 => module = vec!["bin".to_owned()],
                "lib" | "mod" | "main" => drop(module.pop()),
                _ => {}
            }
            let code = fs::read_to_string(path).unwrap();
            self.code.insert(module.clone(), code);
            self.files.insert(module, path.to_owned());
        }
    }

    /// The path from the root of the crate; `None` for other crates, local names and the standard library.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let is_program = matches!(module.first().map(String::as_str), Some("applet" | "bin"));
        let mut base = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => base.truncate(usize::from(is_program)),
            "muxtray" if is_program => base.clear(),
            "self" => {}
            "super" => {
                let levels = path.iter().take_while(|part| *part == "super").count();
                base.truncate(base.len().checked_sub(levels)?);
                rest = &path[levels - 1..];
            }
            child => {
                base.push(child.to_owned());
                if !self.files.contains_key(&base) {
                    return None;
                }
            }
        }
        Some([&base[..], &rest[1..]].concat())
    }

    /// The module that defines the item of an absolute path.
    fn defining(&self, path: &[String]) -> Module {
        let is_module = |length: &usize| self.files.contains_key(&path[..*length]);
        let length = (0..=path.len()).rev().find(is_module).unwrap_or(0);
        let (module, rest) = path.split_at(length);
        let exported = rest
            .first()
            .and_then(|name| self.exports.get(module)?.get(name));
        match exported {
            // A re-export of itself, as by a glob, ends here.
            Some(item) if item[..] != path[..=length] => {
                self.defining(&[&item[..], &rest[1..]].concat())
            }
            _ => module.to_vec(),
        }
    }

    fn uses(&self, module: &Module) -> Uses {
        let (imports, paths) = parse(&tokens(&self.code[module]));
        let mut uses = Uses::new();
        let mut add = |item: Module, shown: &[String]| {
            let target = self.defining(&item);
            if target != *module {
                uses.entry(target).or_insert_with(|| shown.join("::"));
            }
        };
        let mut imported_modules = BTreeMap::new();
        for import in imports {
            match self.absolute(module, &import.path) {
                Some(item) if self.files.contains_key(&item) => {
                    imported_modules.insert(import.name, item);
                }
                Some(item) => add(item, &import.path),
                None => {}
            }
        }
        for path in paths {
            let item = match imported_modules.get(&path[0]) {
                Some(imported) => Some([&imported[..], &path[1..]].concat()),
                None => self.absolute(module, &path),
            };
            if let Some(item) = item {
                add(item, &path);
            }
        }
        uses
    }
}

/// The names, `::` and other signs of a text, without comments, literals and the tests at its end.
fn tokens(text: &str) -> Vec<&str> {
    let mut rest = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut tokens = Vec::new();
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    while let Some(first) = rest.chars().next() {
        let is_char = rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |end| end + 2)
        } else if first == '"' || (first == '\'' && is_char) {
            literal_length(rest, first)
        } else {
            let length = match rest.find(|character| !is_name(character)) {
                Some(0) if rest.starts_with("::") => 2,
                Some(0) => first.len_utf8(),
                Some(end) => end,
                None => rest.len(),
            };
            if !first.is_whitespace() {
                tokens.push(&rest[..length]);
            }
            length
        };
        rest = &rest[length..];
    }
    tokens
}

fn literal_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    let end = text[1..].find(|character: char| {
        let ends = character == quote && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

struct Import {
    path: Vec<String>,
    /// The name in the importing module.
    name: String,
    is_public: bool,
}

/// The imports of a file, and every other path with `::`.
fn parse(tokens: &[&str]) -> (Vec<Import>, Vec<Vec<String>>) {
    let (mut imports, mut paths) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let is_name = |at: usize| {
            let first = tokens.get(at).and_then(|token| token.chars().next());
            first.is_some_and(|first| first.is_alphabetic() || first == '_')
        };
        if tokens[at..].starts_with(&["pub", "(", "in"]) {
            // A visibility is no use.
            at += tokens[at..]
                .iter()
                .take_while(|token| **token != ")")
                .count();
        } else if tokens[at] == "use" && is_name(at + 1) {
            let is_public = at > 0 && matches!(tokens[at - 1], "pub" | ")");
            at += 1;
            import_tree(tokens, &mut at, &[], is_public, &mut imports);
        } else if is_name(at) {
            let mut path = vec![tokens[at].to_owned()];
            while tokens.get(at + 1) == Some(&"::") && is_name(at + 2) {
                path.push(tokens[at + 2].to_owned());
                at += 2;
            }
            if path.len() > 1 {
                paths.push(path);
            }
        }
        at += 1;
    }
    (imports, paths)
}

/// Parses `a::b as c`, `a::*` or `a::{…}`, up to the sign that ends it.
fn import_tree(
    tokens: &[&str],
    at: &mut usize,
    prefix: &[String],
    is_public: bool,
    imports: &mut Vec<Import>,
) {
    let mut path = prefix.to_vec();
    let mut name = None;
    while !matches!(tokens[*at], "," | "}" | ";") {
        match tokens[*at] {
            "::" => {}
            "as" => {
                *at += 1;
                name = Some(tokens[*at].to_owned());
            }
            "{" => {
                while tokens[*at] != "}" {
                    *at += 1;
                    import_tree(tokens, at, &path, is_public, imports);
                }
                *at += 1;
                return;
            }
            "self" if !path.is_empty() => {}
            token => path.push(token.to_owned()),
        }
        *at += 1;
    }
    if path.len() > prefix.len() || tokens[*at - 1] == "self" {
        let name = name.unwrap_or_else(|| path[path.len() - 1].clone());
        imports.push(Import {
            path,
            name,
            is_public,
        });
    }
}

/// The groups of modules that all use each other, directly or not.
fn cycles(uses: &BTreeMap<Module, Uses>) -> Vec<BTreeSet<&Module>> {
    let reachable = |start| {
        let mut reached = BTreeSet::new();
        let mut next = vec![start];
        while let Some(module) = next.pop() {
            next.extend(uses[module].keys().filter(|used| reached.insert(*used)));
        }
        reached
    };
    let reachable: BTreeMap<&Module, BTreeSet<&Module>> = uses
        .keys()
        .map(|module| (module, reachable(module)))
        .collect();
    let mut groups = BTreeSet::new();
    for (module, reached) in &reachable {
        let group = |other: &&&Module| reachable[**other].contains(module);
        let group: BTreeSet<&Module> = reached.iter().filter(group).copied().collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

#[test]
fn no_import_cycle_between_files() {
    let source = Source::read();
    let uses: BTreeMap<Module, Uses> = source
        .files
        .keys()
        .map(|module| (module.clone(), source.uses(module)))
        .collect();
    let file = |module: &Module| source.files[module].to_str().unwrap();
    let mut found = String::new();
    for group in cycles(&uses) {
        found.push_str("\nimport cycle:\n");
        for module in &group {
            for (used, path) in uses[*module]
                .iter()
                .filter(|(used, _)| group.contains(used))
            {
                found += &format!("  {} uses {path} of {}\n", file(module), file(used));
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn paths_of_imports_and_code_are_found() {
    let text = "pub(crate) use a::{self, b::{C as D, *}, e};\n// use no::comment;\n\
                pub(in no::visibility) fn f<'a>(x: &'a str) { let y = '\"'; g::h::<T>(\"i::j\"); k::L { m }; }";
    let (imports, paths) = parse(&tokens(text));
    let imports: Vec<(String, &str)> = imports
        .iter()
        .map(|import| (import.path.join("::"), import.name.as_str()))
        .collect();
    let expected = [
        ("a", "a"),
        ("a::b::C", "D"),
        ("a::b::*", "*"),
        ("a::e", "e"),
    ];
    assert_eq!(
        imports,
        expected.map(|(path, name)| (path.to_owned(), name))
    );
    let paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["g::h", "k::L"]);
}

#[test]
fn modules_that_use_each_other_are_a_cycle() {
    let module = |name: &str| vec![name.to_owned()];
    let uses: BTreeMap<Module, Uses> = [
        ("a", &["b"][..]),
        ("b", &["c"]),
        ("c", &["b", "d"]),
        ("d", &[]),
    ]
    .map(|(name, used)| {
        let used = used.iter().map(|name| (module(name), String::new()));
        (module(name), used.collect())
    })
    .into();
    let cycles = cycles(&uses);
    assert_eq!(cycles, [BTreeSet::from([&module("b"), &module("c")])]);
}

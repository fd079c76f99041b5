//! Checks the sources of the crates themselves: there is no circle between modules, and no option of the command
//! line in the crates below it.
//!
//! A module is a file or a folder. In each folder, if one of its modules uses another, there is an arrow between
//! the two: if `store/batch.rs` uses `schema/shape.rs`, there is an arrow from `store` to `schema`. A re-exported
//! name counts for the module that defines it. A folder and its content are one room, so `mod.rs` and the files
//! beside it may use each other. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The crates whose modules form no circle.
const WITHOUT_CIRCLES: [&str; 10] = [
    "bench",
    "cli",
    "core",
    "fuzz",
    "local",
    "loopback",
    "people",
    "stream-lambda",
    "test-support",
    "web",
];
/// The crates that do not know the command line.
const WITHOUT_OPTIONS: [&str; 3] = ["core", "people", "web"];

/// The path of a module from the root of its crate.
type Module = Vec<String>;

/// The modules of a crate, each with its source, without tests and comments.
struct Sources(BTreeMap<Module, String>);

/// What a module uses: a path as it is written, and its name there.
struct Named {
    path: Vec<String>,
    name: String,
    is_reexport: bool,
}

impl Sources {
    fn of_crate(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{name}/src"));
        let mut sources = BTreeMap::new();
        read_folder(&root, &[], &mut sources);
        assert!(!sources.is_empty(), "{} has no sources", root.display());
        Self::new(sources)
    }

    fn new(sources: BTreeMap<Module, String>) -> Self {
        let mut only_tests = BTreeSet::new();
        let mut plain = BTreeMap::new();
        for (module, text) in sources {
            let (text, tests) = without_tests(&text);
            only_tests.extend(tests.into_iter().map(|name| child(&module, name)));
            plain.insert(module, text);
        }
        plain.retain(|module, _| !only_tests.contains(module));
        Self(plain)
    }

    /// Returns the arrows between modules of the same folder.
    fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let named: BTreeMap<&Module, Vec<Named>> = self
            .0
            .iter()
            .map(|(module, text)| (module, all_named(text)))
            .collect();
        let mut arrows: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, names) in &named {
            for used in names {
                let home = self.home(&named, module, &used.path, 0);
                let common = module.iter().zip(&home).take_while(|(a, b)| a == b).count();
                if module.len() > common && home.len() > common {
                    let from = module[..=common].to_vec();
                    arrows
                        .entry(from)
                        .or_default()
                        .insert(home[..=common].to_vec());
                }
            }
        }
        arrows
    }

    /// Finds the module that defines what a path names.
    fn home(
        &self,
        named: &BTreeMap<&Module, Vec<Named>>,
        from: &Module,
        path: &[String],
        depth: usize,
    ) -> Module {
        let mut home = from.clone();
        for word in path {
            match word.as_str() {
                "crate" => home.clear(),
                "self" => {}
                "super" => {
                    home.pop();
                }
                word if self.0.contains_key(&child(&home, word)) => home.push(word.to_owned()),
                word => {
                    let reexports = named.get(&home).into_iter().flatten();
                    let mut found =
                        reexports.filter(|named| named.is_reexport && named.name == *word);
                    return match found.next() {
                        // A re-export of itself would never end.
                        Some(found) if depth < 8 => self.home(named, &home, &found.path, depth + 1),
                        _ => home,
                    };
                }
            }
        }
        home
    }

    /// Returns a circle of arrows, with its first module repeated at the end.
    fn circle(&self) -> Option<Vec<String>> {
        let arrows = self.arrows();
        let mut done = BTreeSet::new();
        for module in arrows.keys() {
            if let Some(circle) = walk(module, &arrows, &mut Vec::new(), &mut done) {
                return Some(circle.iter().map(|module| module.join("/")).collect());
            }
        }
        None
    }

    /// Returns the lines that contain a command-line option.
    fn options(&self) -> Vec<String> {
        let is_option = |line: &str| {
            let mut words = line.match_indices("--");
            words.any(|(at, _)| line[at + 2..].starts_with(|c: char| c.is_ascii_lowercase()))
        };
        let mut found = Vec::new();
        for (module, text) in &self.0 {
            let lines = text.lines().filter(|line| is_option(line));
            found.extend(lines.map(|line| format!("{}: {}", module.join("/"), line.trim())));
        }
        found
    }
}

fn child(module: &[String], name: impl Into<String>) -> Module {
    let mut child = module.to_vec();
    child.push(name.into());
    child
}

fn walk(
    module: &Module,
    arrows: &BTreeMap<Module, BTreeSet<Module>>,
    way: &mut Vec<Module>,
    done: &mut BTreeSet<Module>,
) -> Option<Vec<Module>> {
    if let Some(first) = way.iter().position(|passed| passed == module) {
        let mut circle = way[first..].to_vec();
        circle.push(module.clone());
        return Some(circle);
    }
    if done.contains(module) {
        return None;
    }
    way.push(module.clone());
    for next in arrows.get(module).into_iter().flatten() {
        if let Some(circle) = walk(next, arrows, way, done) {
            return Some(circle);
        }
    }
    way.pop();
    done.insert(module.clone());
    None
}

fn read_folder(folder: &Path, module: &[String], sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            // Each file there is a separate program.
            if name != "bin" {
                read_folder(&path, &child(module, name), sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = match name {
                "lib" | "main" | "mod" => module.to_vec(),
                name => child(module, name),
            };
            sources.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

/// Removes tests and comments. Also returns the names of modules in separate files that are only for tests.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let mut plain = String::new();
    let mut tests = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let next = lines.next().unwrap_or_default();
            let name = next.split_whitespace().last().unwrap_or_default();
            match name.strip_suffix(';') {
                Some(name) if next.contains("mod ") => tests.push(name.to_owned()),
                // The tests are at the end of a file.
                _ if next.starts_with("mod ") || next.starts_with("pub(crate) mod ") => break,
                _ => {}
            }
        } else if !line.trim_start().starts_with("//") {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    (plain, tests)
}

/// Finds what is named in `use`, and in paths in the code that begin at the crate or at a folder.
fn all_named(text: &str) -> Vec<Named> {
    let words = words_of(text);
    let mut named = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let is_use = words[at] == "use";
        let is_path = matches!(words[at], "crate" | "super") && words.get(at + 1) == Some(&"::");
        if is_use {
            let is_reexport = at > 0 && matches!(words[at - 1], "pub" | ")");
            at = read_tree(&words, at + 1, &[], is_reexport, &mut named);
        } else if is_path {
            at = read_tree(&words, at, &[], false, &mut named);
        } else {
            at += 1;
        }
    }
    named
}

/// Reads a path with all its branches; returns where it ends.
fn read_tree(
    words: &[&str],
    mut at: usize,
    before: &[String],
    is_reexport: bool,
    named: &mut Vec<Named>,
) -> usize {
    let mut path = before.to_vec();
    loop {
        match words.get(at) {
            Some(&"{") => {
                at += 1;
                while words.get(at).is_some_and(|word| *word != "}") {
                    let end = read_tree(words, at, &path, is_reexport, named);
                    // At a comma, or at something that is not a path.
                    at = end + usize::from(words.get(end) != Some(&"}"));
                }
                return at + 1;
            }
            Some(word) if is_name(word) => path.push((*word).to_owned()),
            _ => return at,
        }
        at += 1;
        if words.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    let mut name = path.last().cloned().unwrap_or_default();
    if words.get(at) == Some(&"as") {
        name = words
            .get(at + 1)
            .map(|word| (*word).to_owned())
            .unwrap_or_default();
        at += 2;
    }
    named.push(Named {
        path,
        name,
        is_reexport,
    });
    at
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_') || word == "*"
}

/// Splits a text into names, `::`, and single characters.
fn words_of(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
        let length = match rest.find(|c| !part_of_a_name(c)) {
            Some(0) if rest.starts_with("::") => 2,
            Some(0) => first.len_utf8(),
            Some(length) => length,
            None => rest.len(),
        };
        words.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

fn of(files: &[(&str, &str)]) -> Sources {
    let module = |path: &str| path.split('/').map(str::to_owned).collect();
    let sources = files
        .iter()
        .map(|(path, text)| (module(path), (*text).to_owned()));
    Sources::new(sources.collect())
}

#[test]
fn no_modules_form_a_circle() {
    for name in WITHOUT_CIRCLES {
        if let Some(circle) = Sources::of_crate(name).circle() {
            panic!("crates/{name}: {}", circle.join(" -> "));
        }
    }
}

#[test]
fn no_option_of_the_command_line_is_named_below_it() {
    for name in WITHOUT_OPTIONS {
        let found = Sources::of_crate(name).options();
        assert!(found.is_empty(), "crates/{name}:\n{}", found.join("\n"));
    }
}

#[test]
fn a_circle_is_found_and_named() {
    let circle = |files: &[(&str, &str)]| of(files).circle().map(|circle| circle.join(" -> "));
    let store = ("store", "use crate::{guard::Token, key};");
    let guard = (
        "guard",
        "pub struct Token;\nfn f() { crate::connect::open() }",
    );
    let connect = (
        "connect",
        "use std::fmt;\nuse super::store::{self as s, Store};",
    );
    let key = ("key", "// use crate::store::Store;");
    assert_eq!(
        circle(&[store, guard, connect, key]).as_deref(),
        Some("connect -> store -> guard -> connect")
    );
    assert_eq!(circle(&[store, guard, ("connect", ""), key]), None);
    let tests = (
        "key",
        "#[cfg(test)]\nmod tests {\n    use crate::store::Store;\n}\n",
    );
    assert_eq!(circle(&[store, guard, ("connect", ""), tests]), None);
}

#[test]
fn a_reexport_counts_for_the_module_that_has_it() {
    let folder = (
        "users",
        "mod error;\nmod file;\npub use file::{Problem as P, User};",
    );
    let error = ("users/error", "use super::P;");
    let file = ("users/file", "use super::error::Error;");
    assert_eq!(
        of(&[folder, error, file])
            .circle()
            .map(|circle| circle.join(" -> "))
            .as_deref(),
        Some("users/error -> users/file -> users/error")
    );
    let file = ("users/file", "use super::Folder;");
    assert_eq!(
        of(&[folder, error, file]).circle(),
        None,
        "a folder is one room"
    );
}

#[test]
fn options_are_found_but_not_in_comments() {
    let text =
        "/// As `--prod` says.\nconst A: &str = \"a --- b -- c\";\nconst B: &str = \"--prod\";\n";
    assert_eq!(
        of(&[("a", text)]).options(),
        ["a: const B: &str = \"--prod\";"]
    );
}

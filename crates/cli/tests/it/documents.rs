//! The documents are right about the tests.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Collects the names of the functions in all sources under a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let source = read_to_string(&path).unwrap();
            let names = source.split("fn ").skip(1);
            let names = names.filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn each_promise_has_tests_and_they_are_there() {
    let mut there = BTreeSet::new();
    functions(&root().join("crates"), &mut there);
    let document = read_to_string(root().join("RELIABILITY.md")).unwrap();
    let rows = document.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let number: u8 = cells[0].parse().ok()?;
        Some((number, cells))
    });
    let mut numbers = Vec::new();
    for (number, cells) in rows {
        numbers.push(number);
        assert_eq!(cells.len(), 4, "{cells:?}");
        let named: Vec<&str> = cells[2].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "promise {number}");
        for name in named {
            assert!(there.contains(name), "there is no test {name}");
            assert!(
                name.contains(&format!("p{number:02}_")),
                "{name} is not of {number}"
            );
        }
        assert!(!cells[3].is_empty(), "promise {number} has no figure");
    }
    let expected: Vec<u8> = (1..=45).collect();
    assert_eq!(numbers, expected);
}

//! Every test that `SECURITY.md` names exists and is not ignored.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tests that a line names, as `file::test` in backquotes.
fn named(line: &str) -> Vec<(&str, &str)> {
    line.split('`').skip(1).step_by(2).filter_map(|word| word.split_once(".rs::")).collect()
}

/// Whether the source has a test of this name that is not ignored. Its attributes are on the lines before it.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let declares = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").is_some_and(|rest| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')))
    };
    lines.iter().enumerate().any(|(at, line)| {
        let attributes: Vec<_> = lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).collect();
        let is_test = attributes.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        declares(line) && is_test && !attributes.iter().any(|line| line.starts_with("#[ignore"))
    })
}

#[test]
fn every_named_test_exists() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| **")).collect();
    assert!(rows.len() >= 15, "{} threats", rows.len());
    let mut all = BTreeSet::new();
    for row in rows {
        let threat = row.split("**").nth(1).unwrap();
        let tests = named(row);
        assert!(!tests.is_empty(), "{threat}: names no test");
        for (file, test) in tests {
            let file = format!("{file}.rs");
            let source = fs::read_to_string(root().join(&file)).unwrap_or_else(|e| panic!("{threat}: {file}: {e}"));
            assert!(has_test(&source, test), "{threat}: {file} has no test {test}");
            all.insert(test.to_owned());
        }
    }
    assert!(all.len() >= 50, "{} tests", all.len());
}

#[test]
fn only_functions_with_a_test_attribute_count() {
    let source = "#[test]\nfn one() {}\n\n#[tokio::test(flavor = \"x\")]\nasync fn two() {}\nfn three() {}\n#[test]\n#[ignore]\nfn four() {}";
    assert!(has_test(source, "one") && has_test(source, "two"));
    assert!(
        !has_test(source, "three") && !has_test(source, "four") && !has_test(source, "tw") && !has_test(source, "five")
    );
    assert_eq!(named("| a `b/c.rs::d`, `e` and `f.rs::g` |"), [("b/c", "d"), ("f", "g")]);
}

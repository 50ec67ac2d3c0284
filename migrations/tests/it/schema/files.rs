//! What the repository says about the schema: `schema.sql`, what it includes, and `functions/`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A file's path below `migrations/`, or a part of the file between two includes, and its text.
pub(crate) struct Part {
    pub(crate) path: String,
    pub(crate) sql: String,
}

/// `schema.sql` with the files that it includes, in the order in which psql runs them.
pub(crate) fn schema() -> Vec<Part> {
    let mut parts = Vec::new();
    read_into(&mut parts, &root().join("schema.sql"));
    parts
}

/// Each file in `functions/` and its folders, by its path below `functions/` without the ending: `take_seats`.
pub(crate) fn functions() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let folder = root().join("functions");
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert!(path.extension().is_some_and(|ending| ending == "sql"), "{} is no .sql file", path.display());
                let name = path.strip_prefix(&folder).unwrap().with_extension("");
                found.insert(name.to_str().unwrap().to_owned(), read(&path));
            }
        }
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Line by line: psql's `\ir` includes a file by its path from the one that it stands in.
fn read_into(parts: &mut Vec<Part>, path: &Path) {
    let text = read(path);
    let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
    let mut sql = String::new();
    for line in text.lines() {
        if let Some(included) = line.strip_prefix("\\ir ") {
            parts.push(Part { path: name.to_owned(), sql: std::mem::take(&mut sql) });
            let included = path.parent().unwrap().join(included.trim());
            read_into(parts, &included.canonicalize().unwrap_or_else(|error| panic!("{name}: {line}: {error}")));
        } else {
            sql.push_str(line);
            sql.push('\n');
        }
    }
    parts.push(Part { path: name.to_owned(), sql });
}

//! The repository's documents: the commands in them that a test runs, and what they name, which has to exist.
//!
//! A block that begins with ```` ```sh test ```` works in the local cloud. Other blocks are for reading.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::setting;

/// A Markdown file.
#[derive(Debug)]
pub struct Document {
    path: String,
    prose: String,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    /// What stands behind the fence: `sh test`.
    info: String,
    text: String,
}

impl Document {
    /// All of them: those at the top level, and those in `docs/` and `.github/`.
    pub fn all() -> Vec<Self> {
        let root = setting::root();
        let mut paths = files(&root, false);
        paths.extend(["docs", ".github"].iter().flat_map(|folder| files(&root.join(folder), true)));
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
        paths.sort();
        let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        paths.iter().map(|path| Self::parse(&relative(path), &fs::read_to_string(path).unwrap())).collect()
    }

    fn parse(path: &str, text: &str) -> Self {
        let (mut prose, mut blocks, mut open) = (String::new(), Vec::new(), None::<Block>);
        for line in text.lines() {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(info)) => open = Some(Block { info: info.trim().to_owned(), text: String::new() }),
                (None, None) => prose += &format!("{line}\n"),
                (Some(_), Some("")) => {
                    blocks.extend(open.take());
                    prose += "\n";
                }
                (Some(block), _) => block.text += &format!("{line}\n"),
            }
        }
        assert!(open.is_none(), "{path}: a block does not end");
        Self { path: path.to_owned(), prose, blocks }
    }

    /// Its path, from the repository's root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text outside of blocks. Each block is an empty line in it.
    pub fn prose(&self) -> &str {
        &self.prose
    }

    /// The commands that a test runs, in their order.
    pub fn commands(&self) -> String {
        self.blocks.iter().filter(|block| block.info == "sh test").map(|block| block.text.as_str()).collect()
    }
}

/// The files of a folder, also of those in it.
fn files(folder: &Path, deep: bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.map(|path| match (path.is_dir(), deep) {
        (true, true) => files(&path, true),
        (true, false) => Vec::new(),
        (false, _) => vec![path],
    });
    files.flatten().collect()
}

#[cfg(test)]
mod tests;

//! The repository's Markdown documents. Tests run their commands and check that the things they name exist.
//!
//! Only blocks that begin with ```` ```sh test ```` are run, in the local cloud.

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
    /// The text after the opening fence, such as `sh test`.
    info: String,
    text: String,
}

impl Document {
    /// All documents at the top level, in `docs/` and in `.github/`.
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
        assert!(open.is_none(), "{path}: a code block is not closed");
        Self { path: path.to_owned(), prose, blocks }
    }

    /// The path, relative to the repository's root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text outside code blocks. An empty line stands for each block.
    pub fn prose(&self) -> &str {
        &self.prose
    }

    /// The commands of the `sh test` blocks, in order.
    pub fn commands(&self) -> String {
        self.blocks.iter().filter(|block| block.info == "sh test").map(|block| block.text.as_str()).collect()
    }
}

/// The files of a folder, and of its subfolders if `deep`.
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

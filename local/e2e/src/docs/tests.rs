//! Tests that the paths, links, `make` targets, parameters and alarms that the documents name exist.

use std::collections::BTreeSet;

use super::*;

/// A word of code is a path if it begins with one of these.
const FOLDERS: [&str; 10] =
    [".ci/", ".github/", "bench/", "docs/", "events/", "functions/", "local/", "migrations/", "shared/", "worker/"];

/// A word of code without a slash is a top-level file if it ends with one of these.
const TOP_LEVEL: [&str; 6] = [".md", ".toml", ".yaml", "Makefile", "LICENSE-MIT", "LICENSE-APACHE"];

impl Document {
    /// The code between backticks, and the text around it.
    fn code_and_text(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut code, mut text, mut rest) = (Vec::new(), Vec::new(), self.prose.as_str());
        while let Some(start) = rest.find('`') {
            text.push(&rest[..start]);
            let ticks = rest[start..].bytes().take_while(|byte| *byte == b'`').count();
            let inside = &rest[start + ticks..];
            rest = match closing(inside, ticks) {
                Some(end) => {
                    code.push(inside[..end].trim());
                    &inside[end + ticks..]
                }
                None => inside,
            };
        }
        text.push(rest);
        (code, text)
    }

    /// The targets of its links, without those to other servers.
    fn links(&self) -> Vec<String> {
        let text = self.code_and_text().1.concat();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
    }

    /// The anchors that GitHub gives to its headings.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        let texts = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
        let is_dropped = |c: char| !(c.is_alphanumeric() || " -_".contains(c));
        texts.map(|text| text.replace(is_dropped, "").replace(' ', "-")).collect()
    }

    /// The words of each inline code span and of each line of a shell block.
    fn words(&self) -> Vec<Vec<&str>> {
        let commands = self.blocks.iter().filter(|block| block.info.starts_with("sh"));
        let lines = commands.flat_map(|block| block.text.lines()).filter(|line| !line.trim_start().starts_with('#'));
        let lines = lines.filter_map(|line| line.split(" #").next());
        self.code_and_text().0.into_iter().chain(lines).map(words).collect()
    }

    /// The paths that the document names.
    fn paths(&self) -> BTreeSet<&str> {
        let words = self.words().into_iter().flatten();
        words.filter_map(|word| word.split("::").next()).filter(|word| is_path(word)).collect()
    }

    /// The `make` targets that the document names.
    fn targets(&self) -> BTreeSet<&str> {
        self.words().iter().filter_map(|words| target(words)).collect()
    }

    /// The inline code in the first column of the tables under a heading.
    fn first_cells(&self, heading: &str) -> BTreeSet<&str> {
        let sections = self.prose.split("\n## ");
        let section = sections.filter(|section| section.lines().next() == Some(heading)).collect::<Vec<_>>().pop();
        let rows = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| "));
        rows.filter_map(|row| row.split(" | ").next()).flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
    }
}

/// The position of the closing run of exactly `ticks` backticks, in the same paragraph.
fn closing(inside: &str, ticks: usize) -> Option<usize> {
    let paragraph = &inside[..inside.find("\n\n").unwrap_or(inside.len())];
    let mut at = 0;
    while let Some(found) = paragraph[at..].find('`') {
        let start = at + found;
        let run = paragraph[start..].bytes().take_while(|byte| *byte == b'`').count();
        if run == ticks {
            return Some(start);
        }
        at = start + run;
    }
    None
}

/// Splits code into words, without the punctuation around them.
fn words(code: &str) -> Vec<&str> {
    code.split_whitespace().map(|word| word.trim_matches(['"', '\'', '(', ')', '$', ',', ';', '|'])).collect()
}

fn is_path(word: &str) -> bool {
    let is_top_level = !word.contains('/') && TOP_LEVEL.iter().any(|end| word.ends_with(end));
    let has_placeholder = word.contains(['<', '{', '$']);
    !has_placeholder && (is_top_level || FOLDERS.iter().any(|folder| word.starts_with(folder)))
}

/// The first target of a `make` command, if it names one.
fn target<'a>(words: &[&'a str]) -> Option<&'a str> {
    let make = words.iter().position(|word| *word == "make" || word.ends_with("$(make"))?;
    let word = words[make + 1..].iter().find(|word| !word.starts_with('-') && !word.contains('='))?;
    // What follows a substitution: `$(make -s url)/webhooks`.
    word.split(')').next()
}

fn document(text: &str) -> Document {
    Document::parse("a.md", text)
}

fn root_file(name: &str) -> String {
    fs::read_to_string(setting::root().join(name)).unwrap()
}

/// Whether a file or folder exists. A `*` in a file's name matches any characters.
fn exists(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.split_once('*') {
        None => setting::root().join(path).exists(),
        Some((start, end)) => files(&setting::root().join(folder), false).iter().any(|file| {
            let name = file.file_name().unwrap().to_string_lossy();
            name.starts_with(start) && name.ends_with(end)
        }),
    }
}

/// Whether git ignores the path: a command creates it, so a fresh clone does not have it.
fn is_made(path: &str) -> bool {
    let ignored = root_file(".gitignore");
    ignored.lines().filter_map(|line| line.strip_prefix('/')).any(|folder| path.starts_with(folder))
}

#[test]
fn every_path_in_a_document_exists() {
    let mut missing = Vec::new();
    for document in Document::all() {
        let paths = document.paths().into_iter().filter(|path| !exists(path) && !is_made(path));
        missing.extend(paths.map(|path| format!("{}: {path}", document.path)));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for document in Document::all() {
        let here = setting::root().join(&document.path);
        for link in document.links() {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { here.clone() } else { here.parent().unwrap().join(file) };
            let leads = match fs::read_to_string(&target) {
                Ok(text) => anchor.is_empty() || self::document(&text).anchors().contains(anchor),
                Err(_) => anchor.is_empty() && target.is_dir(),
            };
            if !leads {
                broken.push(format!("{}: {link}", document.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_make_target_in_a_document_exists() {
    let makefile = root_file("Makefile");
    let known: BTreeSet<_> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(target, _)| target).collect();
    for document in Document::all() {
        let unknown: Vec<_> = document.targets().into_iter().filter(|target| !known.contains(target)).collect();
        assert!(unknown.is_empty(), "{}: make {unknown:?}", document.path);
    }
}

/// The names at the second level of one section of the template.
fn names_of<'a>(template: &'a str, part: &str) -> BTreeSet<&'a str> {
    let lines = template.lines().skip_while(|line| *line != part).skip(1);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    // `Name:` alone, or with an anchor: `Name: &Anchor`.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_once(':')).map(|(name, _)| name);
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric())).collect()
}

#[test]
fn every_parameter_of_the_template_is_described() {
    let template = root_file("template.yaml");
    let deploy = document(&root_file("docs/deploy.md"));
    assert_eq!(deploy.first_cells("Every parameter"), names_of(&template, "Parameters:"));
}

#[test]
fn every_alarm_of_the_template_is_described() {
    let template = root_file("template.yaml");
    let operate = document(&root_file("docs/operate.md"));
    let resources = names_of(&template, "Resources:");
    let alarms: BTreeSet<_> = resources.into_iter().filter(|name| name.ends_with("Alarm")).collect();
    assert!(!alarms.is_empty(), "the template has alarms");
    assert_eq!(operate.first_cells("Alarms"), alarms);
}

#[test]
fn commands_come_only_from_marked_blocks() {
    let text = "a\n```sh test\none\ntwo\n```\n```sh\nmake down\n```\n- b\n  ```sh test\n  three\n  ```\n";
    assert_eq!(document(text).commands(), "one\ntwo\n  three\n");
}

#[test]
#[should_panic(expected = "a.md: a code block is not closed")]
fn a_code_block_must_be_closed() {
    document("```sh test\none\n");
}

#[test]
fn paths_are_found_in_code() {
    let text = "`docs/a.md`, ` ``` `, `x.rs`, docs/b.md, `shared/tests/c.rs::name`, `local/<name>`\n\n\
        ```sh\n# docs/d.md\nrun \"$(docs/e.md)\" --x local/f  # docs/g.md\n```\n```yaml\ndocs/h.md\n```\n`/admin/i` `j.toml`";
    let expected = ["docs/a.md", "docs/e.md", "j.toml", "local/f", "shared/tests/c.rs"];
    assert_eq!(document(text).paths().into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn targets_are_found_in_make_commands() {
    let text = "`make up`, `make`, `make test-db A=b`, make down\n```sh\nAPI=$(make -s url)/shows\nx \"y $(make -s token)\"\nmake C=d bench\n```";
    let expected = ["bench", "test-db", "token", "up", "url"];
    assert_eq!(document(text).targets().into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn links_and_anchors_are_found() {
    let text = "# The `a` of B, c\n[x](y.md#z) [`w`](v) [u](https://t.example) `[s](r)`\n";
    assert_eq!(document(text).links(), ["y.md#z", "v"]);
    assert_eq!(document(text).anchors().into_iter().collect::<Vec<_>>(), ["the-a-of-b-c"]);
}

//! The commands of `README.md` that are marked ```` ```sh test ````, run in their order in one shell.

use std::{fs, time::Duration};

use boxoffice_e2e::setting;
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(120);

/// The marked blocks' lines.
fn tested_commands(readme: &str) -> Vec<String> {
    let (mut blocks, mut block) = (Vec::new(), None::<String>);
    for line in readme.lines() {
        match &mut block {
            None if line.trim_end() == "```sh test" => block = Some(String::new()),
            None => {}
            Some(_) if line.starts_with("```") => blocks.extend(block.take()),
            Some(text) => *text += &format!("{line}\n"),
        }
    }
    assert!(block.is_none(), "a block of README.md does not end");
    blocks
}

#[test]
fn only_marked_blocks_are_taken() {
    let readme = "a\n```sh test\none\ntwo\n```\n```sh\nmake down\n```\n```sh test\nthree\n```\n";
    assert_eq!(tested_commands(readme), ["one\ntwo\n", "three\n"]);
}

#[tokio::test]
async fn the_commands_of_the_readme_work() {
    // `make url` in them means the cloud that is tested, by the variable BOXOFFICE_STATE that `make test` set.
    setting::required("BOXOFFICE_STATE");
    let readme = fs::read_to_string(setting::root().join("README.md")).expect("README.md");
    let blocks = tested_commands(&readme);
    assert!(!blocks.is_empty(), "README.md has no block that is marked ```sh test");
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-x", "-c", &blocks.concat()]).current_dir(setting::root()).kill_on_drop(true);
    // A make inside must not take itself for a part of the one that runs these tests.
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
        command.env_remove(name);
    }
    let output = tokio::time::timeout(LIMIT, command.output()).await.expect("the commands took too long").unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
}

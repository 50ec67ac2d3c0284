//! The commands in the documents that are marked ```` ```sh test ````: those of each document in one shell, in their order.

use std::time::Duration;

use boxoffice_e2e::{docs::Document, setting};
use tokio::{process::Command, task::JoinSet, time::timeout};

/// For the commands of one document. One of them waits for a hold to end; a hold whose message is lost ends by the next sweep.
const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn the_commands_in_the_documents_work() {
    // `make url` in them means the cloud that is tested, by the variable BOXOFFICE_STATE that `make test` set.
    setting::required("BOXOFFICE_STATE");
    let mut running = JoinSet::new();
    for document in Document::all() {
        let commands = document.commands();
        if !commands.is_empty() {
            running.spawn(async move { (document.path().to_owned(), run(&commands).await) });
        }
    }
    let results = running.join_all().await;
    let paths: Vec<_> = results.iter().map(|(path, _)| path.as_str()).collect();
    for expected in ["README.md", "docs/operate.md", "docs/payments.md"] {
        assert!(paths.contains(&expected), "{expected} has no block that is marked ```sh test");
    }
    let failed = results.iter().filter_map(|(path, result)| Some(format!("{path}: {}", result.as_ref().err()?)));
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Runs commands in one shell, which ends at the first that fails.
async fn run(commands: &str) -> Result<(), String> {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-x", "-c", commands]).current_dir(setting::root()).kill_on_drop(true);
    // A make inside must not take itself for a part of the one that runs these tests.
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
        command.env_remove(name);
    }
    let output = timeout(LIMIT, command.output()).await.map_err(|_| "the commands took too long".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(format!("{stdout}\n{stderr}")) }
}

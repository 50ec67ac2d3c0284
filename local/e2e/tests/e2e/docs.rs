//! Runs the document commands in blocks marked ```` ```sh test ````. Each document's commands run in one shell, in
//! order.

use std::time::Duration;

use boxoffice_e2e::{docs::Document, setting};
use tokio::{process::Command, task::JoinSet, time::timeout};

/// The time limit for one document. One of its commands waits for a hold to expire. If the hold's message is lost, that
/// takes until the next sweep.
const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn commands_in_documents_succeed() {
    // BOXOFFICE_STATE, set by `make test`, makes `make url` print the URL of the cloud under test.
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
        assert!(paths.contains(&expected), "{expected} has no block marked ```sh test");
    }
    let failed = results.iter().filter_map(|(path, result)| Some(format!("{path}: {}", result.as_ref().err()?)));
    let failed: Vec<_> = failed.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Runs commands in one shell, which exits at the first failure.
async fn run(commands: &str) -> Result<(), String> {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-x", "-c", commands]).current_dir(setting::root()).kill_on_drop(true);
    // A nested make must not join the job server of the make that runs these tests.
    for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS"] {
        command.env_remove(name);
    }
    let output = timeout(LIMIT, command.output()).await.map_err(|_| "the commands took too long".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(format!("{stdout}\n{stderr}")) }
}

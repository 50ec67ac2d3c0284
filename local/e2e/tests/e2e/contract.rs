//! Schemathesis generates valid and malformed requests from `openapi.yaml` and checks the answers against it.

use std::{path::Path, time::Duration};

use boxoffice_e2e::{api::Api, database::Database, partner, setting, token};
use boxoffice_testkit::invariants::assert_invariants;
use serde_json::Value;
use tokio::process::Command;

/// The time limit of a run. It takes two minutes on two busy cores.
const LIMIT: Duration = Duration::from_secs(480);

/// Checks of Schemathesis that do not apply to this API:
/// `use_after_free`: a cancelled booking can still be read, and shows that it was cancelled;
/// `positive_data_acceptance`: a well-formed cursor, signature or number of seats can still be refused.
const NOT_CHECKED: &str = "use_after_free,positive_data_acceptance";

/// Headers that give access to all routes but webhooks: an operator's token and a partner's key.
async fn credentials() -> Vec<String> {
    vec![format!("Authorization: Bearer {}", token::operator()), format!("x-api-key: {}", partner::key().await)]
}

/// The result of a run.
struct Run {
    /// The number of generated requests.
    generated: u64,
    /// The operations that answered only 401 and 403.
    closed: Vec<String>,
}

/// Runs Schemathesis on all operations, with these headers.
async fn run(mode: &str, phases: &str, headers: &[String]) -> Run {
    let reports = tempfile::tempdir().unwrap();
    let report = reports.path().join("report.json");
    let program = Path::new(&setting::required("BOXOFFICE_TOOLS")).join("schemathesis/bin/schemathesis");
    let command = Command::new(program)
        .current_dir(reports.path())
        .arg("run")
        .arg(setting::root().join("openapi.yaml"))
        .args(["--url", &setting::api_url(), "--mode", mode, "--max-examples", "20"])
        .args(headers.iter().flat_map(|header| ["--header", header]))
        .args(["--checks", "all", "--exclude-checks", NOT_CHECKED])
        // The requests are the same every time, so that a failure can be reproduced and a passing run stays so.
        .args(["--generation-deterministic", "--phases", phases])
        // With several threads, it sometimes fails because of a bug in Python 3.11's parser.
        .args(["--workers", "1"])
        .args(["--request-timeout", "40", "--continue-on-failure", "--no-color", "--warnings", "missing_auth"])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, command).await.expect("schemathesis took too long").unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["operations"]["tested"], report["operations"]["total"], "{text}");
    let closed = report["warnings"]["missing_auth"].as_array().unwrap().iter();
    let closed = closed.map(|operation| operation.as_str().unwrap().to_owned()).collect();
    Run { generated: report["test_cases"]["generated"].as_u64().unwrap(), closed }
}

#[tokio::test]
async fn malformed_requests_are_refused_as_documented() {
    let run = run("negative", "coverage,fuzzing", &credentials().await).await;
    assert!(run.generated >= 100, "only {} malformed requests were generated", run.generated);
}

#[tokio::test]
async fn valid_requests_are_answered_as_documented() {
    let run = run("positive", "examples,coverage,fuzzing", &credentials().await).await;
    assert!(run.generated >= 100, "only {} requests were generated", run.generated);
    // Only a provider can sign webhooks.
    assert!(run.closed.iter().all(|operation| operation.starts_with("POST /webhooks/")), "{:?}", run.closed);
}

/// Without a token or key, no protected operation succeeds. The check `ignored_auth` finds one that does.
#[tokio::test]
async fn requests_without_credentials_are_answered_as_documented() {
    let run = run("positive", "examples,coverage", &[]).await;
    assert!(run.generated >= 50, "only {} requests were generated", run.generated);
    for operation in ["POST /admin/shows", "GET /admin/payments", "POST /partner/shows/{show_id}/bookings"] {
        assert!(run.closed.iter().any(|closed| closed == operation), "{operation}: {:?}", run.closed);
    }
}

#[tokio::test]
async fn the_invariants_hold_for_all_shows() {
    // One snapshot of all shows, including those that generated requests changed.
    Api::connect().create_show(3).await;
    assert_invariants(Database::connect().await.client()).await;
}

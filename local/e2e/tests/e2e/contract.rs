//! Requests generated from `openapi.yaml` by Schemathesis, valid ones and malformed ones, and the answers held to it.

use std::{path::Path, time::Duration};

use boxoffice_e2e::{api::Api, database::Database, partner, setting, token};
use boxoffice_testkit::invariants::assert_invariants;
use serde_json::Value;
use tokio::process::Command;

/// For a run that takes two minutes on two busy cores.
const LIMIT: Duration = Duration::from_secs(480);

/// All checks that Schemathesis has, but for what this API promises otherwise:
/// `use_after_free`: a booking that was cancelled is still there, and says that it was;
/// `positive_data_acceptance`: what has the form of a cursor, a signature or a number of seats is not yet one that is good.
const NOT_CHECKED: &str = "use_after_free,positive_data_acceptance";

/// Headers that let everybody in: an operator's token and a partner's key.
async fn credentials() -> Vec<String> {
    vec![format!("Authorization: Bearer {}", token::operator()), format!("x-api-key: {}", partner::key().await)]
}

/// What a run was.
struct Run {
    /// How many requests were generated.
    generated: u64,
    /// The operations that were never got into: 401 and 403 were all that they answered.
    closed: Vec<String>,
}

/// Runs Schemathesis over all operations, with these headers.
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
        // The same requests every time: a failure can be had again, and a green run stays green.
        .args(["--generation-deterministic", "--phases", phases])
        // Several threads of it stumble over a fault of Python 3.11's parser now and then.
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
async fn generated_malformed_requests_are_all_refused_as_documented() {
    let run = run("negative", "coverage,fuzzing", &credentials().await).await;
    assert!(run.generated >= 100, "only {} malformed requests were generated", run.generated);
}

#[tokio::test]
async fn generated_valid_requests_are_answered_as_documented() {
    let run = run("positive", "examples,coverage,fuzzing", &credentials().await).await;
    assert!(run.generated >= 100, "only {} requests were generated", run.generated);
    // Nobody but a provider can sign.
    assert!(run.closed.iter().all(|operation| operation.starts_with("POST /webhooks/")), "{:?}", run.closed);
}

/// Without a token and a key, nothing that needs one is a success: `ignored_auth` looks for it.
#[tokio::test]
async fn generated_requests_of_nobody_are_answered_as_documented() {
    let run = run("positive", "examples,coverage", &[]).await;
    assert!(run.generated >= 50, "only {} requests were generated", run.generated);
    for operation in ["POST /admin/shows", "GET /admin/payments", "POST /partner/shows/{show_id}/bookings"] {
        assert!(run.closed.iter().any(|closed| closed == operation), "{operation}: {:?}", run.closed);
    }
}

#[tokio::test]
async fn no_show_is_unsound_whatever_was_asked() {
    // All shows are looked at, at one moment, those of the generated requests among them.
    Api::connect().create_show(3).await;
    assert_invariants(Database::connect().await.client()).await;
}

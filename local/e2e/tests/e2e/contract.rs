//! Requests generated from `openapi.yaml` by Schemathesis, valid ones and malformed ones, and the answers held to it.

use std::{path::Path, time::Duration};

use boxoffice_e2e::{api::Api, database::Database, setting, token};
use boxoffice_testkit::invariants::assert_invariants;
use serde_json::Value;
use tokio::process::Command;

/// For a run that takes half a minute on two busy cores.
const LIMIT: Duration = Duration::from_secs(240);

/// What every answer is checked for: no 5xx, and that it is documented, its body and headers too.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance";

/// Runs Schemathesis over all operations; how many requests it generated.
async fn generated_requests(mode: &str, phases: &str, more_checks: &str) -> u64 {
    let reports = tempfile::tempdir().unwrap();
    let report = reports.path().join("report.json");
    let program = Path::new(&setting::required("BOXOFFICE_TOOLS")).join("schemathesis/bin/schemathesis");
    let run = Command::new(program)
        .current_dir(reports.path())
        .arg("run")
        .arg(setting::root().join("openapi.yaml"))
        .args(["--url", &setting::api_url(), "--mode", mode, "--max-examples", "20"])
        .args(["--header", &format!("Authorization: Bearer {}", token::operator())])
        .args(["--checks", &format!("{CHECKS}{more_checks}")])
        // The same requests every time: a failure can be had again, and a green run stays green.
        .args(["--generation-deterministic", "--phases", phases])
        // Several threads of it stumble over a fault of Python 3.11's parser now and then.
        .args(["--workers", "1"])
        .args(["--request-timeout", "40", "--continue-on-failure", "--no-color", "--warnings", "off"])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, run).await.expect("schemathesis took too long").unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["operations"]["tested"], report["operations"]["total"], "{text}");
    report["test_cases"]["generated"].as_u64().unwrap()
}

#[tokio::test]
async fn generated_malformed_requests_are_all_refused_as_documented() {
    let generated = generated_requests("negative", "coverage,fuzzing", ",negative_data_rejection").await;
    assert!(generated >= 100, "only {generated} malformed requests were generated");
}

#[tokio::test]
async fn generated_valid_requests_are_answered_as_documented() {
    let generated = generated_requests("positive", "examples,coverage,fuzzing", "").await;
    assert!(generated >= 100, "only {generated} requests were generated");
}

#[tokio::test]
async fn no_show_is_unsound_whatever_was_asked() {
    // All shows are looked at, at one moment, those of the generated requests among them.
    Api::connect().create_show(3).await;
    assert_invariants(Database::connect().await.client()).await;
}

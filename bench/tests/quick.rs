//! The benchmark works: a very short run of all of it, with the invariants checked, leaves a whole report.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

use serde_json::Value;

/// All but those that need the Lambda binaries.
const ALWAYS: [&str; 4] = ["statements", "network", "tail", "expiry"];
const WITH_BINARIES: [&str; 3] = ["lambdas", "lean", "webhooks"];

#[test]
fn a_quick_run_leaves_a_report_without_a_broken_figure() {
    let dir = tempfile::tempdir().unwrap();
    let mut names = ALWAYS.to_vec();
    // Built by `make up` and `make bench`, which `make test` runs before.
    if std::env::var_os("BOXOFFICE_BIN_DIR").is_some() {
        names.extend(WITH_BINARIES);
    }
    let mut bench = Command::new(env!("CARGO_BIN_EXE_boxoffice-bench"));
    bench.arg("--quick").arg("--report").arg(dir.path());
    bench.args(names.iter().flat_map(|name| ["--only", name]));
    let output = bench.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));

    let json = std::fs::read_to_string(dir.path().join("report.json")).unwrap();
    assert!(!json.contains("broken"), "{text}");
    let report: Value = serde_json::from_str(&json).unwrap();
    let sections = report["sections"].as_array().unwrap();
    assert_eq!(sections.iter().map(|section| section["id"].as_str().unwrap()).collect::<Vec<_>>(), names);
    for section in sections {
        assert!(!section["tables"].as_array().unwrap().is_empty(), "{section}");
    }
    assert!(report["targets"].as_array().unwrap().iter().any(|target| target["figure"].is_number()));

    let html = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(html.contains("<svg") && !html.contains("<script") && !html.contains("http-equiv"), "one page, no more");
}

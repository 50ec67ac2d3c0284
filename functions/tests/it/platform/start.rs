//! A binary with invalid settings reports all of them and exits.

use std::{fs, path::Path};

use boxoffice_testkit::lambda::{Instance, InvokeError};
use serde_json::{Value, json};

const DATABASE: &[&str] = &["DATABASE_URL", "DATABASE_STATEMENTS", "AWS_LAMBDA_MAX_CONCURRENCY"];

/// Each binary and its own settings.
const BINARIES: [(&str, &[&str]); 5] = [
    (env!("CARGO_BIN_EXE_list-shows"), &[]),
    (env!("CARGO_BIN_EXE_book"), &["HOLD_SECONDS", "HOLD_QUEUE_URL", "MAX_SEATS_PER_HOLDER", "ADDRESS_ALLOWANCE"]),
    (env!("CARGO_BIN_EXE_bookings"), &["HOLD_SECONDS"]),
    (env!("CARGO_BIN_EXE_confirm"), &["STRIPE_MODE", "STRIPE_ACCOUNT", "MAX_SEATS_PER_HOLDER", "ADDRESS_ALLOWANCE"]),
    (
        env!("CARGO_BIN_EXE_admin"),
        &["EXPECTED_WRITERS", "STRIPE_MODE", "STRIPE_ACCOUNT", "MAX_SEATS_PER_HOLDER", "ADDRESS_ALLOWANCE"],
    ),
];

/// Starts the binary, asserts that it exits with code 1, and returns the one line that reports what is wrong.
async fn refusal(binary: &str, env: &[(&str, &str)]) -> String {
    let instance = Instance::start(binary, env).await;
    match instance.ready().await {
        Err(InvokeError::Exited { status, .. }) => assert_eq!(status.code(), Some(1), "{binary}"),
        other => panic!("{binary}: {other:?}"),
    }
    let said = instance.stdout() + &instance.stderr();
    assert!(!said.contains("s3cret"), "{said}");
    let lines: Vec<_> = said.lines().filter(|line| line.contains("cannot start")).collect();
    assert_eq!(lines.len(), 1, "{binary}: {said}");
    lines[0].to_owned()
}

#[tokio::test]
async fn all_invalid_settings_are_reported_in_one_line() {
    let wrong = [
        ("DATABASE_URL", "postgres://boxoffice:s3cret@/?nonsense=1"),
        ("DATABASE_STATEMENTS", "s3cret"),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "0"),
        ("HOLD_SECONDS", "901"),
        ("HOLD_QUEUE_URL", "s3cret"),
        ("EXPECTED_WRITERS", "257"),
        ("STRIPE_MODE", "both"),
        ("STRIPE_ACCOUNT", "s3cret"),
        ("MAX_SEATS_PER_HOLDER", "0"),
        ("ADDRESS_ALLOWANCE", "x"),
    ];
    for (binary, own) in BINARIES {
        let line = refusal(binary, &wrong).await;
        for name in DATABASE.iter().chain(own) {
            assert!(line.contains(name), "{name} is not in: {line}");
        }
    }
}

#[tokio::test]
async fn missing_settings_are_reported() {
    for (binary, _) in BINARIES {
        let line = refusal(binary, &[]).await;
        assert!(line.contains("DATABASE_URL or DATABASE_SECRET_ARN"), "{line}");
    }
    let line = refusal(env!("CARGO_BIN_EXE_book"), &[]).await;
    assert!(line.contains("HOLD_QUEUE_URL must be set"), "{line}");
}

#[tokio::test]
async fn two_database_settings_are_refused() {
    let both = [("DATABASE_URL", "postgres://a:s3cret@db/x"), ("DATABASE_SECRET_ARN", "arn:aws:secretsmanager:x")];
    for (binary, _) in BINARIES {
        assert!(refusal(binary, &both).await.contains("must not both be set"));
    }
}

#[tokio::test]
async fn missing_certificate_file_is_refused() {
    let missing = [
        ("DATABASE_URL", "postgres://a:s3cret@127.0.0.1:9/x"),
        ("DATABASE_CA_FILE", "/nonexistent.pem"),
        ("HOLD_QUEUE_URL", "http://127.0.0.1:9/holds"),
    ];
    for (binary, _) in BINARIES {
        refusal(binary, &missing).await;
    }
}

#[tokio::test]
async fn maximum_hold_below_the_hold_is_refused() {
    let longer = [
        ("DATABASE_URL", "postgres://a:s3cret@127.0.0.1:9/x"),
        ("HOLD_QUEUE_URL", "http://127.0.0.1:9/holds"),
        ("HOLD_SECONDS", "301"),
        ("MAX_HOLD_SECONDS", "300"),
    ];
    for binary in [env!("CARGO_BIN_EXE_book"), env!("CARGO_BIN_EXE_bookings")] {
        let line = refusal(binary, &longer).await;
        assert!(line.contains("MAX_HOLD_SECONDS must not be below HOLD_SECONDS"), "{line}");
    }
}

/// CloudFormation rules cannot compare two numbers, so `MinValue` and `MaxValue` refuse such parameters before a
/// deployment.
#[test]
fn template_keeps_the_maximum_hold_at_or_above_the_hold() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let template: Value = serde_saphyr::from_str(&fs::read_to_string(template).unwrap()).unwrap();
    let parameter = |name: &str, property: &str| template["Parameters"][name][property].as_u64().unwrap();
    assert!(parameter("MaxHoldSeconds", "MinValue") >= parameter("HoldSeconds", "MaxValue"));
    assert!(parameter("MaxHoldSeconds", "Default") >= parameter("MaxHoldSeconds", "MinValue"));
    for function in ["Book", "Bookings"] {
        let variables = &template["Resources"][function]["Properties"]["Environment"]["Variables"];
        assert_eq!(
            (&variables["HOLD_SECONDS"], &variables["MAX_HOLD_SECONDS"]),
            (&json!("HoldSeconds"), &json!("MaxHoldSeconds"))
        );
    }
}

//! The environment that Lambda gives a function.

use std::ffi::OsString;
use std::path::Path;

/// Of this process's environment a function sees only these: what is set by chance must not reach it.
const KEPT: [&str; 4] = ["PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "RUST_BACKTRACE"];

/// The variables for `binary`, of which the file name is the function's name.
pub(super) fn environment(binary: &Path, runtime_api: &str) -> Vec<(OsString, OsString)> {
    let name = binary.file_stem().expect("a binary should have a name").to_string_lossy().into_owned();
    let kept = KEPT.iter().filter_map(|key| Some(((*key).into(), std::env::var_os(key)?)));
    let log_group = format!("/aws/lambda/{name}");
    let lambda = [
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_LAMBDA_FUNCTION_NAME", &name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/04/09/[$LATEST]00000000000000000000000000000000"),
        ("_HANDLER", "bootstrap"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        // No credentials or settings may come from this machine's user.
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    kept.chain(lambda.map(|(key, value)| (key.into(), value.into()))).collect()
}

//! The environment that Lambda gives a function.

use std::ffi::OsString;
use std::path::Path;

/// The only variables of this process that a function inherits. Any other must not reach it by chance.
const KEPT: [&str; 4] = ["PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "RUST_BACKTRACE"];

/// The variables for `binary`, whose file name is the function's name.
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
        // Nothing may come from the credentials or settings of this machine's user.
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    kept.chain(lambda.map(|(key, value)| (key.into(), value.into()))).collect()
}

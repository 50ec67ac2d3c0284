//! The command line.

use std::path::PathBuf;

use crate::scenario::Name;

const USAGE: &str = "\
usage: boxoffice-bench [--quick] [--only NAME]... [--report DIRECTORY]
  --quick    very short runs, to check that the benchmark works; the figures mean little
  --only     run only this scenario: statements, network, lambdas, tail, expiry, lean, webhooks, pools, crowding
  --report   the report's directory; default: bench/report
BOXOFFICE_BIN_DIR is the directory of the Lambda binaries, <name>/bootstrap each; default: target/lambda";

/// The command line's options.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    /// Empty: all that run by default.
    pub(crate) only: Vec<Name>,
    pub(crate) report: PathBuf,
    pub(crate) binaries: PathBuf,
}

impl Options {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    /// A message for the user.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let binaries = std::env::var_os("BOXOFFICE_BIN_DIR").map(PathBuf::from);
        let mut options = Self {
            quick: false,
            only: Vec::new(),
            report: root.join("report"),
            binaries: binaries.unwrap_or_else(|| root.join("../target/lambda")),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--only" => options.only.push(value()?.parse().map_err(|error| format!("{error}\n{USAGE}"))?),
                "--report" => options.report = value()?.into(),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

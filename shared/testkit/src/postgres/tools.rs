//! The Postgres programs and the user that runs them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names the directory of the server programs.
const POSTGRES_BIN: &str = "POSTGRES_BIN";

const MISSING: &str = "no Postgres server programs (initdb, pg_ctl, postgres) in PATH or /usr/lib/postgresql/*/bin; \
                       on Debian: apt-get install postgresql";

/// The Postgres programs of an installation.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    bin: PathBuf,
    /// Set when this process is root: Postgres refuses to run as root.
    user: Option<User>,
}

#[derive(Clone, Copy, Debug)]
struct User {
    uid: u32,
    gid: u32,
}

impl Tools {
    pub(super) fn find() -> Self {
        let bin = find_bin().unwrap_or_else(|| panic!("{MISSING}"));
        let user = (id(&["-u"]) == Some(0)).then(unprivileged);
        Self { bin, user }
    }

    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.bin.join(program)
    }

    /// A command that runs `program` as Postgres' user.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut words = self.prefix().into_iter().chain([self.path(program).into_os_string()]);
        let mut command = Command::new(words.next().unwrap());
        // That user may have no access to the current directory, and the programs complain about it.
        command.args(words).current_dir("/");
        command
    }

    /// The words before a command that make it run as Postgres' user; none if this process already is that user.
    pub(super) fn prefix(&self) -> Vec<OsString> {
        let Some(user) = self.user else { return Vec::new() };
        vec![
            "setpriv".into(),
            format!("--reuid={}", user.uid).into(),
            format!("--regid={}", user.gid).into(),
            "--clear-groups".into(),
            "--".into(),
        ]
    }

    /// Makes Postgres' user the owner of `path`.
    pub(super) fn give(&self, path: &Path) {
        if let Some(user) = self.user {
            std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)).expect("root should be able to chown");
        }
    }
}

fn find_bin() -> Option<PathBuf> {
    let has_all = |bin: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|name| bin.join(name).is_file());
    // Named on purpose: another installation would be a silent answer to a wrong path.
    if let Some(named) = std::env::var_os(POSTGRES_BIN).filter(|path| !path.is_empty()) {
        let bin = PathBuf::from(named);
        assert!(has_all(&bin), "{POSTGRES_BIN}: {} lacks initdb, pg_ctl or postgres", bin.display());
        return Some(bin);
    }
    let in_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).find(has_all);
    in_path.or_else(|| {
        // Debian does not put them in PATH; it has a directory for each major version.
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path());
        let mut versions: Vec<_> =
            versions.filter_map(|path| Some((path.file_name()?.to_str()?.parse::<u32>().ok()?, path))).collect();
        versions.sort();
        versions.into_iter().rev().map(|(_, path)| path.join("bin")).find(has_all)
    })
}

fn unprivileged() -> User {
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some(User { uid: id(&["-u", name])?, gid: id(&["-g", name])? }))
        .expect("root needs a user `postgres` or `nobody` to run Postgres as")
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().parse().ok())?
}

//! Clean-up that happens even if this process is killed.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A small shell that waits until this process closes a pipe, and then cleans up.
///
/// The kernel closes the pipe however the process ends, also by `SIGKILL` and `abort`, when no `Drop` runs. The shell
/// has its own process group, so that a Ctrl-C in the tests does not end it. The standard library's pipes are closed on
/// exec, so no other child can keep this one open.
pub(crate) struct Watcher {
    shell: Child,
}

impl Watcher {
    /// Runs the shell text `start` at once, and `clean_up` when this value is dropped or the process ends. Both get
    /// `arguments` as `$1` and following, and share variables.
    pub(crate) fn new(start: &str, clean_up: &str, arguments: &[&OsStr]) -> Self {
        // The trap comes after `start`, whose processes must not inherit it.
        let script = format!("{start}\ntrap '' HUP INT TERM\nwhile read -r _; do :; done\n{clean_up}");
        let shell = Command::new("sh")
            .args(["-c", &script, "boxoffice-watcher"])
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh should start");
        Self { shell }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // The clean-up has its own time limit. Waiting for it means that nothing is left when a test has ended.
        let _ = self.shell.wait();
    }
}

//! Clean-up that happens even when this process is killed.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A small shell that waits for this process to let go of a pipe, then cleans up.
///
/// The kernel closes the pipe at any end of the process, `SIGKILL` and `abort` too, when no `Drop` runs. The shell is in
/// a process group of its own, so that a Ctrl-C for the tests does not take it with them. Pipes of the standard
/// library are closed on exec: no other child can keep this one open.
pub(crate) struct Watcher {
    shell: Child,
}

impl Watcher {
    /// Runs `start`, shell text, at once, and `clean_up` when this value is dropped or the process ends. Both find
    /// `arguments` in `$1` and on, and share variables.
    pub(crate) fn new(start: &str, clean_up: &str, arguments: &[&OsStr]) -> Self {
        // The trap comes after the start: what is started must not inherit it.
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
        // The clean-up bounds itself; waiting for it means that nothing is left when a test has ended.
        let _ = self.shell.wait();
    }
}

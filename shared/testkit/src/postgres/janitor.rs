//! The databases of tests that have ended are dropped, while others run: together they would take gigabytes.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::database::connect;

thread_local! {
    /// What goes when this thread ends. A test has a thread of its own, and its threads end with it.
    static MADE_HERE: RefCell<Vec<Lease>> = const { RefCell::new(Vec::new()) };
}

/// Drops databases by a thread and a connection of its own. What is left when the process ends goes with the server.
pub(super) struct Janitor {
    names: Sender<String>,
}

struct Lease {
    name: String,
    names: Sender<String>,
}

impl Janitor {
    /// `admin_url` is a superuser's.
    pub(super) fn start(admin_url: String) -> Self {
        let (names, receiver) = channel();
        std::thread::spawn(move || work(&admin_url, receiver));
        Self { names }
    }

    /// Drops the database when the current thread has ended, and not while the test may still use it.
    pub(super) fn drop_after_this_thread(&self, name: &str) {
        let lease = Lease { name: name.to_owned(), names: self.names.clone() };
        MADE_HERE.with_borrow_mut(|leases| leases.push(lease));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // The janitor is gone only when the process ends.
        let _ = self.names.send(std::mem::take(&mut self.name));
    }
}

fn work(admin_url: &str, names: Receiver<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let admin = connect(admin_url).await;
        for name in names {
            // A server that stops, or a test that dropped it, must not end this thread.
            let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    });
}

//! The server: start, stop, restart, and paused backends.

use std::ffi::{OsStr, OsString};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rand::RngExt as _;

use super::database::{Database, connect};
use super::janitor::Janitor;
use super::tools::Tools;
use super::{Options, tls};
use crate::watcher::Watcher;

/// The role that owns the databases. It is not a superuser, but may create roles.
const OWNER: &str = "boxoffice";
/// The roles that the migrations create.
const ROLES: [&str; 2] = [boxoffice_migrations::APP_ROLE, "boxoffice_read"];
const TEMPLATE: &str = "boxoffice_template";
/// The time limit of a start or a stop, in seconds.
const WAIT_S: &str = "60";
/// Below the range that Linux uses for outgoing connections (32768 and up): a client that keeps trying the port of a
/// stopped server must not be given that very port for its own end.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
const PORT_ATTEMPTS: usize = 20;
/// Free memory that a server's directory needs to lie in memory: a server takes some 150 MB and 8 MB a database, and several run
/// side by side.
const MEMORY_KIB: u64 = 2 << 20;
/// The environment variable that names the directory of a server that runs already: `with-postgres` sets it.
pub const SHARED_SERVER: &str = "BOXOFFICE_TEST_SERVER";
/// `$1` is the directory, the rest is how to call `pg_ctl`. The second rm is for an initdb that was still writing.
const CLEAN_UP: &str = r#"dir=$1; shift; "$@" stop -D "$dir/data" -m immediate -w -t 20
rm -rf "$dir" || { sleep 2; rm -rf "$dir"; }"#;

/// A private Postgres server. On drop it is stopped at once (`immediate`) and its directory is removed.
pub struct Server {
    tools: Tools,
    dir: PathBuf,
    port: u16,
    template: tokio::sync::OnceCell<()>,
    /// In the name of each database of this process: other processes have databases on the server too.
    process: u32,
    clones: AtomicU32,
    /// Only of a server that tests share: another one goes with its test.
    janitor: OnceLock<Janitor>,
    /// Last: it stops the server and removes the directory. None when another process started it.
    _watcher: Option<Watcher>,
}

/// How to stop the server: the mode of `pg_ctl stop -m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ends sessions and writes the data out.
    Fast,
    /// As in a crash: the next start recovers from the log.
    Immediate,
}

impl Server {
    /// Starts a server, which takes about two seconds. Blocks the thread.
    pub fn start(options: &Options) -> Self {
        let tools = Tools::find();
        let mut place = tempfile::Builder::new();
        place.prefix("boxoffice-pg-");
        let dir = match memory().filter(|_| !options.durable) {
            Some(memory) => place.tempdir_in(memory),
            None => place.tempdir(),
        };
        // Only the watcher removes the directory, which must not vanish under a running server.
        let dir = dir.expect("a temporary directory").keep();
        tools.give(&dir);
        let watcher = watch(&tools, &dir);
        run(tools.command("initdb").args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust"]).args([
            OsStr::new("--username=postgres"),
            OsStr::new("--pgdata"),
            dir.join("data").as_os_str(),
        ]));
        std::fs::write(dir.join("data/pg_hba.conf"), options.hba()).unwrap();
        if options.tls {
            install_certificates(&tools, &dir);
        }
        let port = start_on_free_port(&tools, &dir, options);
        Self::at(tools, dir, port, Some(watcher))
    }

    /// The server that tests share, with [`Options::fast`]: that of the whole run if [`SHARED_SERVER`] names one, or else one of
    /// this process, started at the first call. It holds nothing of a tokio runtime, so tests with runtimes of their own can
    /// share it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| {
            let server = std::env::var_os(SHARED_SERVER).map_or_else(|| Self::start(&Options::fast()), Self::join);
            assert!(server.janitor.set(Janitor::start(server.admin_url("postgres"))).is_ok(), "it is new");
            server
        })
    }

    /// The server that another process started in this directory and made ready.
    fn join(dir: OsString) -> Self {
        let dir = PathBuf::from(dir);
        let file = dir.join("data/postmaster.pid");
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{SHARED_SERVER}: no server runs there: {}: {error}", file.display()));
        // Its fourth line is the port.
        let port = text.lines().nth(3).and_then(|line| line.parse().ok()).expect("a port in postmaster.pid");
        let server = Self::at(Tools::find(), dir, port, None);
        server.template.set(()).expect("it is new");
        server
    }

    fn at(tools: Tools, dir: PathBuf, port: u16, watcher: Option<Watcher>) -> Self {
        Self {
            tools,
            dir,
            port,
            template: tokio::sync::OnceCell::new(),
            process: rand::rng().random(),
            clones: AtomicU32::new(0),
            janitor: OnceLock::new(),
            _watcher: watcher,
        }
    }

    /// Makes the template, which otherwise the first database does.
    pub async fn prepare(&self) {
        self.template.get_or_init(|| self.make_template()).await;
    }

    /// Where the server lives.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of another program of the same installation, such as `pgbench`. It may not exist.
    pub fn program(&self, name: &str) -> PathBuf {
        self.tools.path(name)
    }

    /// The certificate (PEM) that signed the server's, with [`Options::tls`].
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The server's whole log.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.dir.join("data/server.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The URL with which the superuser connects, without a password.
    pub fn admin_url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Connects to the database `postgres` as a superuser.
    pub async fn admin_client(&self) -> tokio_postgres::Client {
        connect(&self.admin_url("postgres")).await
    }

    /// Creates a migrated database, cloned from a template. The first call on a server creates the template.
    ///
    /// On the shared server the database is dropped when the calling thread has ended, on another one with the server.
    pub async fn create_database(&self) -> Database {
        self.prepare().await;
        let name = self.new_name("test");
        let admin = self.admin_client().await;
        // FILE_COPY makes a checkpoint, but without fsync that is little: a clone costs a quarter of the CPU that it does by
        // WAL_LOG, which writes all 8 MB twice.
        let create = format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY");
        admin.batch_execute(&create).await.expect("the template should be cloned");
        // A clone copies everything except the right to connect.
        let [app, read] = ROLES;
        let connect =
            format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO {app}, {read}");
        admin.batch_execute(&connect).await.expect("the clone should be closed to others");
        Database::new(self, name)
    }

    /// Creates an empty database without the schema, with the same owner, for tests of the migrations themselves. On a
    /// new server it also lacks the roles that the migrations create.
    pub async fn create_empty_database(&self) -> Database {
        let name = self.new_name("empty");
        let admin = self.admin_client().await;
        self.make_owner(&admin).await;
        let create = format!("CREATE DATABASE {name} OWNER {OWNER}");
        admin.batch_execute(&create).await.expect("a database should be created");
        Database::new(self, name)
    }

    fn new_name(&self, kind: &str) -> String {
        let name = format!("{kind}_{:08x}_{}", self.process, self.clones.fetch_add(1, Ordering::Relaxed));
        if let Some(janitor) = self.janitor.get() {
            janitor.drop_after_this_thread(&name);
        }
        name
    }

    /// Stops the server. Does not block the thread.
    pub async fn stop(&self, how: Stop) {
        let mode = if how == Stop::Fast { "fast" } else { "immediate" };
        let mut command = self.pg_ctl("stop");
        command.args(["-m", mode]);
        run_aside(command).await;
    }

    /// Starts a stopped server, on the same port with the same data. Does not block the thread.
    pub async fn start_again(&self) {
        let mut command = self.pg_ctl("start");
        command.arg("-l").arg(self.dir.join("data/server.log"));
        run_aside(command).await;
    }

    /// Stops the server and starts it again. Does not block the thread.
    pub async fn restart(&self, how: Stop) {
        self.stop(how).await;
        self.start_again().await;
    }

    /// Suspends a backend process (`SIGSTOP`), which keeps its locks and its connection, until the guard is dropped.
    /// `pid` is the session's `pg_backend_pid()`.
    pub fn pause_backend(&self, pid: i32) -> PausedBackend {
        signal(pid, "STOP").expect("the backend should be there to be stopped");
        PausedBackend { pid }
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = self.tools.command("pg_ctl");
        command.args([action, "-w", "-t", WAIT_S, "-D"]).arg(self.dir.join("data"));
        command
    }

    /// Roles belong to the server and not to a database: their settings from the migrations and their passwords hold
    /// for all clones.
    async fn make_template(&self) {
        let admin = self.admin_client().await;
        self.make_owner(&admin).await;
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {TEMPLATE}")).await.unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {TEMPLATE} OWNER {OWNER}")).await.unwrap();
        let url = Database::new(self, TEMPLATE.to_owned()).owner_url();
        let target = boxoffice_shared::platform::config::Database::from_url(&url, None).expect("a URL of our own");
        boxoffice_migrations::apply(&target).await.expect("the migrations should apply");
        for role in ROLES {
            admin.batch_execute(&format!("ALTER ROLE {role} PASSWORD '{role}'")).await.unwrap();
        }
        // A database that is being cloned must have no connections.
        let close = format!("ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false");
        admin.batch_execute(&close).await.unwrap();
    }

    async fn make_owner(&self, admin: &tokio_postgres::Client) {
        let create = format!(
            "DO $$ BEGIN CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{OWNER}'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        admin.batch_execute(&create).await.unwrap();
    }
}

/// A suspended backend. It continues on drop (`SIGCONT`).
#[must_use = "the backend goes on when this is dropped"]
pub struct PausedBackend {
    pid: i32,
}

impl Drop for PausedBackend {
    fn drop(&mut self) {
        // A server that stops kills it, so it may be gone.
        let _ = signal(self.pid, "CONT");
    }
}

fn signal(pid: i32, name: &str) -> Result<(), std::io::Error> {
    // The shell's built-in `kill`: not every machine has the command.
    let script = format!("kill -{name} {pid}");
    let status = Command::new("sh").args(["-c", &script]).status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(script)) }
}

/// Where files lie in memory, if there is room: a database is some 300 files, and to make and remove those costs a disk's file
/// system more than Postgres does for all else.
fn memory() -> Option<&'static Path> {
    let dir = Path::new("/dev/shm");
    let output = Command::new("df").arg("-Pk").arg(dir).output().ok()?;
    // The second line: file system, blocks, used, available.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let free_kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    (output.status.success() && free_kib >= MEMORY_KIB).then_some(dir)
}

fn watch(tools: &Tools, dir: &Path) -> Watcher {
    let pg_ctl = tools.path("pg_ctl");
    let prefix = tools.prefix();
    let mut arguments = vec![dir.as_os_str()];
    arguments.extend(prefix.iter().map(OsString::as_os_str));
    arguments.push(pg_ctl.as_os_str());
    Watcher::new("", CLEAN_UP, &arguments)
}

fn install_certificates(tools: &Tools, dir: &Path) {
    tls::make_certificates(dir);
    for name in ["server.crt", "server.key"] {
        let target = dir.join("data").join(name);
        std::fs::copy(dir.join(name), &target).unwrap();
        // Postgres refuses a key file that others can read.
        std::fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        tools.give(&target);
    }
}

/// Tries another port if another process takes the first between our check and the server's start.
fn start_on_free_port(tools: &Tools, dir: &Path, options: &Options) -> u16 {
    let conf = dir.join("data/postgresql.conf");
    let original = std::fs::read_to_string(&conf).expect("initdb should have written postgresql.conf");
    let log = dir.join("data/server.log");
    for _ in 0..3 {
        let port = free_port();
        std::fs::write(&conf, format!("{original}\n{}", options.conf(port))).unwrap();
        let mut start = tools.command("pg_ctl");
        start.args(["start", "-w", "-t", WAIT_S, "-D"]).arg(dir.join("data")).arg("-l").arg(&log);
        if start.output().expect("pg_ctl should run").status.success() {
            return port;
        }
    }
    panic!("Postgres does not start; its log:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
}

/// A loopback port that is free now, outside the range of outgoing connections.
pub(crate) fn free_port() -> u16 {
    (0..PORT_ATTEMPTS)
        .map(|_| rand::rng().random_range(PORTS))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of twenty random ports should be free")
}

async fn run_aside(mut command: Command) {
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
}

//! A fake Postgres server over TLS that asks for the password in clear, records it and refuses the login: a test sees
//! what RDS would receive.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use native_tls::{Identity, TlsAcceptor};

use crate::postgres::make_certificates;

/// How long to wait for a silent client.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest message that is read, in bytes. A token has about 1,500.
const MAX_MESSAGE: usize = 16 * 1024;

/// The fake server. It ends with its process.
pub struct TokenServer {
    dir: tempfile::TempDir,
    port: u16,
    logins: Logins,
}

/// The user and password of each login.
type Logins = Arc<Mutex<Vec<(String, String)>>>;

impl TokenServer {
    /// Listens on a loopback port, with a certificate for `localhost`. Needs the `openssl` command.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        make_certificates(dir.path());
        let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        let identity = Identity::from_pkcs8(&read("server.crt"), &read("server.key")).unwrap();
        let acceptor = TlsAcceptor::new(identity).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let logins = Logins::default();
        let kept = Arc::clone(&logins);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // An error means that the client ended the connection. Logins are served one by one: each takes a
                // millisecond.
                let _ = refuse(stream, &acceptor, &kept);
            }
        });
        Self { dir, port, logins }
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate (PEM) that signed the server's.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// The user and password of each login so far.
    pub fn logins(&self) -> Vec<(String, String)> {
        self.logins.lock().unwrap().clone()
    }
}

/// Serves a login. See "Message Formats" in the Postgres manual.
fn refuse(mut stream: TcpStream, acceptor: &TlsAcceptor, logins: &Logins) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    // SSLRequest: eight bytes, answered with one.
    let mut request = [0; 8];
    stream.read_exact(&mut request)?;
    stream.write_all(b"S")?;
    let mut stream = acceptor.accept(stream).map_err(std::io::Error::other)?;
    // StartupMessage: the version, then names and values, each with a terminating zero.
    let startup = message(&mut stream)?;
    let mut words = startup.get(4..).unwrap_or_default().split(|byte| *byte == 0);
    let user = words.find(|word| *word == b"user").and_then(|_| words.next()).unwrap_or_default();
    // AuthenticationCleartextPassword, answered with PasswordMessage.
    stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3])?;
    stream.read_exact(&mut [0])?;
    let password = message(&mut stream)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    logins.lock().unwrap().push((text(user), text(&password)));
    // ErrorResponse.
    let error = b"SFATAL\0VFATAL\0C28000\0MPAM authentication failed\0\0";
    stream.write_all(b"E")?;
    stream.write_all(&u32::try_from(error.len() + 4).unwrap().to_be_bytes())?;
    stream.write_all(error)?;
    stream.shutdown()
}

/// Reads a message body. Its length comes first and includes itself.
fn message(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
    assert!((4..MAX_MESSAGE).contains(&length), "a client's message cannot have {length} bytes");
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body)?;
    Ok(body)
}

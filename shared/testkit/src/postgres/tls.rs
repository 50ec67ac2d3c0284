//! A certificate authority and a server certificate, created with the `openssl` command.

use std::path::Path;
use std::process::Command;

const EXTENSIONS: &str = "subjectAltName = DNS:localhost, IP:127.0.0.1\nextendedKeyUsage = serverAuth\n";

/// Writes `ca.crt`, `server.crt` and `server.key` into `dir`, valid for a day.
pub(crate) fn make_certificates(dir: &Path) {
    std::fs::write(dir.join("extensions"), EXTENSIONS).unwrap();
    openssl(
        dir,
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=boxoffice-test-authority -keyout ca.key -out ca.crt",
    );
    openssl(dir, "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr");
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -extfile extensions -out server.crt",
    );
}

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(dir)
        .output()
        .expect("the `openssl` command should be there; on Debian: apt-get install openssl");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

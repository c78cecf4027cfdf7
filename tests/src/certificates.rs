//! A test CA and the certificates that it signs, made by `openssl`.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::{command, run};

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A certification authority that no system trusts.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    own: Certificate,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = files(folder.path(), "ca");
        // Two of the same name would be taken for one another.
        let name = folder.path().file_name().unwrap().to_string_lossy();
        let mut made = request(&own, &format!("/CN=robocast test CA {name}"));
        made.args(["-x509", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE"]);
        made.args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]).arg("-out").arg(&own.certificate);
        openssl(made);
        Self { folder, own }
    }

    /// The certificate by which to trust it.
    pub fn path(&self) -> &Path {
        &self.own.certificate
    }

    /// The same as text.
    pub fn pem(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    /// A server's certificate for `names`, such as `DNS:localhost,IP:127.0.0.1`.
    pub fn server(&self, names: &str) -> Certificate {
        self.sign(names, &["-days", "2"])
    }

    /// A certificate that expired yesterday.
    pub fn expired(&self, names: &str) -> Certificate {
        self.sign(names, &["-days", "-1"])
    }

    fn sign(&self, names: &str, validity: &[&str]) -> Certificate {
        let count = std::fs::read_dir(self.folder.path()).unwrap().count();
        let server = files(self.folder.path(), &format!("server-{count}"));
        let wish = server.certificate.with_extension("csr");
        let mut made = request(&server, "/CN=a test server");
        made.args(["-addext", &format!("subjectAltName={names}")]).arg("-out").arg(&wish);
        openssl(made);
        let mut signed = command("openssl");
        signed.args(["x509", "-req", "-copy_extensions", "copyall"]).args(validity).arg("-in").arg(&wish);
        signed.arg("-CA").arg(&self.own.certificate).arg("-CAkey").arg(&self.own.key);
        signed.arg("-CAcreateserial").arg("-out").arg(&server.certificate);
        openssl(signed);
        server
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn files(folder: &Path, name: &str) -> Certificate {
    Certificate { certificate: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) }
}

fn request(of: &Certificate, subject: &str) -> std::process::Command {
    let mut made = command("openssl");
    made.args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    made.args(["-subj", subject, "-keyout"]).arg(&of.key);
    made
}

fn openssl(command: std::process::Command) {
    let (code, _, told) = run(command);
    assert_eq!(code, Some(0), "openssl: {told}");
}

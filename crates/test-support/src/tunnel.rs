//! A proxy for TLS whose tunnels all end at a fake: whichever AWS host is requested, the fake answers, with its own
//! certificate.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::http::{Server, forward, read};

/// The hosts that the certificate is for.
const HOSTS: [&str; 2] = [
    "*.eu-central-1.amazonaws.com",
    "*.ddb.eu-central-1.amazonaws.com",
];

/// The proxy. It ends when this value is dropped.
#[derive(Debug)]
pub struct Tunnel {
    server: Server,
    heads: Arc<Mutex<Vec<String>>>,
    certificate: String,
}

impl Tunnel {
    /// Starts a proxy in front of an HTTP server.
    ///
    /// # Panics
    ///
    /// If no certificate or no port is available.
    pub fn to(url: &str) -> Self {
        let names: Vec<String> = HOSTS.map(str::to_owned).to_vec();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(names).expect("a certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("its key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("the certificate is whole");
        let (tls, url) = (Arc::new(tls), url.to_owned());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&heads);
        let server = Server::listen(move |stream, _| {
            serve(stream, &tls, &url, &kept);
        });
        Self {
            server,
            heads,
            certificate: cert.pem(),
        }
    }

    /// Returns the URL of the proxy, with a user and a password if there are any: `me:secret@`.
    pub fn url(&self, user: &str) -> String {
        self.server.url().replacen("://", &format!("://{user}"), 1)
    }

    /// Returns how many connections were made to it.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Returns the heads of the requests to the proxy itself: what it sees of the traffic.
    ///
    /// # Panics
    ///
    /// If a thread of the proxy panicked.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("the list is whole").clone()
    }

    /// Writes the certificate to a file.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn write_certificate(&self, path: &Path) {
        std::fs::write(path, &self.certificate).expect("the file is written");
    }
}

/// Serves one connection to the proxy. If a client disconnects, the error is ignored.
fn serve(
    mut stream: TcpStream,
    tls: &Arc<ServerConfig>,
    url: &str,
    heads: &Mutex<Vec<String>>,
) -> Option<()> {
    let head = head_of(&mut stream)?;
    let asked = head.starts_with("CONNECT ");
    heads.lock().ok()?.push(head);
    if !asked {
        return stream.write_all(b"HTTP/1.1 405 No\r\n\r\n").ok();
    }
    stream.write_all(b"HTTP/1.1 200 Tunnel\r\n\r\n").ok()?;
    let connection = ServerConnection::new(Arc::clone(tls)).ok()?;
    let mut inside = StreamOwned::new(connection, stream);
    let request = read(&mut inside)?;
    // The answer says `Connection: close`, so each tunnel has one request.
    inside.write_all(&forward(&request, url).bytes()).ok()?;
    inside.conn.send_close_notify();
    inside.flush().ok()
}

/// Reads a head byte by byte: what follows it belongs to the tunnel.
fn head_of(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

//! The sockets of an endpoint: one port on 127.0.0.1 and on [::1].

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// How many ports are tried if any port will do: a port may be free on only one of the two addresses.
const TRIES: usize = 64;
/// How long the program that holds a port may take to answer. In tests, on a busy machine, it is much longer.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 600 } else { 2 });

/// The reason why it cannot listen on a port.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program already listens on the port, on one of the two addresses or on both.
    #[error("port {} of {} is taken{occupant}", address.port(), host(address))]
    PortTaken {
        /// The address and the port.
        address: SocketAddr,
        /// What answers there.
        occupant: Occupant,
    },
    /// The port is not available for another reason.
    #[error("cannot listen on port {} of {}: {error}", address.port(), host(address))]
    Other {
        /// The address and the port.
        address: SocketAddr,
        /// The system's reason.
        error: io::Error,
    },
}

/// What answers on a port that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// A DynamoDB endpoint.
    DynamoDb,
    /// Another web server.
    Web,
    /// It is not known.
    Unknown,
}

impl fmt::Display for Occupant {
    /// Writes the end of the message that the port is taken.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DynamoDb => ": a DynamoDB endpoint answers there",
            Self::Web => ": a web server answers there",
            Self::Unknown => "",
        })
    }
}

/// Listens on both loopback addresses, or on none. Port 0 means any port that is free on both.
///
/// `localhost` can be either address, depending on the client. On a machine without IPv6 it can only be 127.0.0.1, and
/// this listens only there.
///
/// # Errors
///
/// [`ListenError`]. It then listens on neither address.
pub fn listen(port: u16) -> Result<Vec<TcpListener>, ListenError> {
    listen_with(port, Ipv6Addr::LOCALHOST)
}

fn listen_with(port: u16, second: Ipv6Addr) -> Result<Vec<TcpListener>, ListenError> {
    let mut tries = 1;
    loop {
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let first = bind(v4).map_err(|error| refused(v4, error))?;
        let chosen = first.local_addr().map_err(|error| refused(v4, error))?;
        let v6 = SocketAddr::from((second, chosen.port()));
        match bind(v6) {
            Ok(listener) => return Ok(vec![first, listener]),
            Err(error) if port == 0 && error.kind() == ErrorKind::AddrInUse && tries < TRIES => {
                tries += 1;
            }
            // If no port is available on the address, the machine does not have the address.
            Err(_) if bind((second, 0).into()).is_err() => return Ok(vec![first]),
            Err(error) => return Err(refused(v6, error)),
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn refused(address: SocketAddr, error: io::Error) -> ListenError {
    match error.kind() {
        ErrorKind::AddrInUse => ListenError::PortTaken {
            address,
            occupant: occupant(address).unwrap_or(Occupant::Unknown),
        },
        _ => ListenError::Other { address, error },
    }
}

/// Asks the program that holds an address what it is.
fn occupant(address: SocketAddr) -> io::Result<Occupant> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // In one piece: a server that answers the first piece and then closes would reset the connection.
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = [0; 2048];
    let length = stream.read(&mut head)?;
    let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
    Ok(if !head.starts_with("http/") {
        Occupant::Unknown
    } else if head.contains("x-amzn-requestid") {
        Occupant::DynamoDb
    } else {
        Occupant::Web
    })
}

/// Formats an address for a URL: `127.0.0.1`, `[::1]`.
fn host(address: &SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address in a range that RFC 3849 reserves for documentation: no machine has it.
    const NOWHERE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

    fn has_ipv6() -> bool {
        bind((Ipv6Addr::LOCALHOST, 0).into()).is_ok()
    }

    #[test]
    fn any_port_is_the_same_on_both() {
        let listeners = listen(0).unwrap();
        assert_eq!(listeners.len(), if has_ipv6() { 2 } else { 1 });
        let ports: Vec<u16> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }

    #[test]
    fn without_the_second_address_the_first_is_enough() {
        let listeners = listen_with(0, NOWHERE).unwrap();
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap())
            .collect();
        assert_eq!(addresses.len(), 1);
        assert_eq!(addresses[0].ip(), Ipv4Addr::LOCALHOST);
    }

    /// If a port is taken on one of the two addresses, it does not listen on the other.
    #[test]
    fn both_or_neither() {
        if !has_ipv6() {
            return;
        }
        let other = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream
                .write_all(b"HTTP/1.1 400 Bad\r\nX-Amzn-RequestId: 1\r\n\r\n")
                .unwrap();
            other
        });
        let error = listen(port).unwrap_err();
        let _other = answering.join().unwrap();
        assert_eq!(
            error.to_string(),
            format!("port {port} of [::1] is taken: a DynamoDB endpoint answers there")
        );
        bind((Ipv4Addr::LOCALHOST, port).into()).unwrap();
    }

    #[test]
    fn what_speaks_no_http_is_only_said_to_be_there() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            stream.write_all(b"220 mail\r\n").unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        });
        assert_eq!(
            listen(port).unwrap_err().to_string(),
            format!("port {port} of 127.0.0.1 is taken")
        );
    }
}

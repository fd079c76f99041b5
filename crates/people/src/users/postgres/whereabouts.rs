//! Where a database is, by the names in its URL.

use std::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use ddb_core::connect::Endpoint;

/// How far away a database server is. Only [`Whereabouts::Remote`] means real data by its name.
///
/// The names decide, before anything is looked up. An address given with a name (`hostaddr`) can only make it
/// farther away: `db.example.org` at 127.0.0.1 is a tunnel to production, and `localhost` at another
/// machine's address is not this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whereabouts {
    /// A loopback address, `localhost`, or a socket.
    ThisMachine,
    /// A name without a dot, such as a container's, or one that ends in `.localhost`.
    Near,
    /// Any other name or address, including private ones.
    Remote,
}

impl Whereabouts {
    /// Returns where the servers of a configuration are. If there are several, the one farthest away counts.
    pub(super) fn of(config: &Config) -> Self {
        let hosts = config.get_hosts().iter().map(Self::of_host);
        let addresses = config.get_hostaddrs().iter().copied();
        hosts
            .chain(addresses.map(Self::of_address))
            .max()
            .unwrap_or(Self::Remote)
    }

    fn of_host(host: &Host) -> Self {
        match host {
            Host::Tcp(name) => Self::of_name(name),
            #[cfg(unix)]
            Host::Unix(_) => Self::ThisMachine,
        }
    }

    fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            return Self::of_address(address);
        }
        // Other forms of an address that the system accepts: 127.1, 0x7f000001, 167772161.
        if let Ok(url::Host::Ipv4(address)) = url::Host::parse(&name) {
            return Self::of_address(address.into());
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let absolute = name.strip_suffix('.').unwrap_or(&name);
        match name.as_str() {
            // An address with a zone, or a name in another script.
            "" => Self::Remote,
            name if !name.bytes().all(plain) => Self::Remote,
            _ if absolute == "localhost" => Self::ThisMachine,
            _ if absolute.ends_with(".localhost") => Self::Near,
            name if name.contains('.') => Self::Remote,
            _ => Self::Near,
        }
    }

    fn of_address(address: IpAddr) -> Self {
        match address.to_canonical().is_loopback() {
            true => Self::ThisMachine,
            false => Self::Remote,
        }
    }
}

/// Checks whether one of the servers is a host of AWS.
pub(super) fn is_aws(config: &Config) -> bool {
    config.get_hosts().iter().any(|host| match host {
        Host::Tcp(name) => format!("https://{name}")
            .parse()
            .is_ok_and(|endpoint: Endpoint| endpoint.is_aws()),
        #[cfg(unix)]
        Host::Unix(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Whereabouts {
        Whereabouts::of(&url.parse().unwrap())
    }

    #[test]
    fn p05_the_names_of_a_url_say_where_a_database_is() {
        for (hosts, expected) in [
            (
                &[
                    "localhost",
                    "LocalHost",
                    "localhost.",
                    "127.0.0.1",
                    "127.9.9.9",
                    "127.1",
                    "0x7f.1",
                    "2130706433",
                    "[::1]",
                    "[::ffff:127.0.0.1]",
                    "%2Fvar%2Frun%2Fpostgresql",
                    "%6cocalhost",
                    "localhost,127.0.0.1,[::1]",
                ][..],
                Whereabouts::ThisMachine,
            ),
            (
                &[
                    "db",
                    "my_db",
                    "POSTGRES-1",
                    "db.localhost",
                    "db.localhost.",
                    "localhost,db",
                ],
                Whereabouts::Near,
            ),
            (
                &[
                    "db.example.org",
                    "DB.Example.ORG.",
                    "localhost.example.org",
                    "notlocalhost.",
                    "prod%2Eexample%2Eorg",
                    "%70rod.example",
                    "10.0.0.1",
                    "192.168.1.5",
                    "172.17.0.2",
                    "169.254.1.1",
                    "0.0.0.0",
                    "203.0.113.5",
                    "3405803781",
                    "0xcb007105",
                    "10.1",
                    "[fe80::1%25eth0]",
                    "[fd00::1]",
                    "[::ffff:10.0.0.1]",
                    "[::]",
                    "prod。example",
                    "ｌocalhost",
                    "host.docker.internal",
                    "localhost,db.example.org",
                    "db.example.org,localhost",
                    ",localhost",
                ],
                Whereabouts::Remote,
            ),
        ] {
            for host in hosts {
                assert_eq!(of(&format!("postgres://me@{host}/db")), expected, "{host}");
            }
        }
        let parameter = "postgres://me@localhost/db?host=db.example.org";
        assert_eq!(of(parameter), Whereabouts::Remote);
    }

    #[test]
    fn p05_an_address_beside_a_name_never_brings_it_nearer() {
        for (url, expected) in [
            ("db.example.org/db?hostaddr=127.0.0.1", Whereabouts::Remote),
            ("localhost/db?hostaddr=127.0.0.1", Whereabouts::ThisMachine),
            ("localhost/db?hostaddr=10.0.0.1", Whereabouts::Remote),
            ("db/db?hostaddr=127.0.0.1", Whereabouts::Near),
            ("db/db?hostaddr=203.0.113.5", Whereabouts::Remote),
        ] {
            assert_eq!(of(&format!("postgres://me@{url}")), expected, "{url}");
        }
    }

    #[test]
    fn p05_hosts_of_aws_are_known_among_others() {
        for (url, expected) in [
            ("x.rds.amazonaws.com", true),
            ("X.RDS.AmazonAWS.com.", true),
            ("x%2Erds%2Eamazonaws%2Ecom", true),
            ("localhost,x.rds.amazonaws.com", true),
            ("x.rds.amazonaws.com.cn/db?hostaddr=127.0.0.1", true),
            ("amazonaws.com.example.org", false),
            ("[::1]", false),
            ("%2Ftmp%2Fx.rds.amazonaws.com", false),
        ] {
            let config = format!("postgres://me@{url}").parse().unwrap();
            assert_eq!(is_aws(&config), expected, "{url}");
        }
    }
}

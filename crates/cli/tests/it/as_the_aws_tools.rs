//! `--prod` works as the AWS tools do: proxies, root certificates, profiles and credentials. All of AWS is faked: a
//! proxy on loopback, whose tunnels end at a fake with its own certificate.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use ddb_test_support::aws::{ACCOUNT, Aws, Backups, OTHER_ACCOUNT, OTHER_KEY};
use ddb_test_support::http::Server;
use ddb_test_support::tunnel::Tunnel;
use ddb_test_support::{Door, Ran, Sandbox, Tool};

use crate::setup::tool;

const COUNT: [&str; 3] = ["scan", "--count", "--prod"];

/// A fake of AWS behind a proxy, and a table in it.
struct World {
    sandbox: Sandbox,
    aws: Aws,
    tunnel: Tunnel,
}

impl World {
    async fn new() -> Self {
        let sandbox = Sandbox::with_table().await;
        let aws = Aws::in_front_of(&sandbox, Backups::On);
        let tunnel = Tunnel::to(&aws.url());
        Self {
            sandbox,
            aws,
            tunnel,
        }
    }

    /// A tool with a region and the root certificate, and neither a proxy nor credentials.
    fn bare(&self) -> Tool {
        let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
            .with("DDB_MESSAGE_TABLE", self.sandbox.table().as_str())
            .with("AWS_EC2_METADATA_DISABLED", "true")
            .with("AWS_REGION", "eu-central-1");
        self.tunnel.write_certificate(&tool.home().join("ca.pem"));
        tool
    }

    /// A tool that reaches AWS, and has no credentials.
    fn connected(&self) -> Tool {
        self.bare()
            .with("HTTPS_PROXY", &self.tunnel.url(""))
            .with("AWS_CA_BUNDLE", "ca.pem")
    }
}

fn with_keys(tool: Tool) -> Tool {
    tool.with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
}

fn with_config(tool: Tool, config: &str) -> Tool {
    std::fs::create_dir(tool.home().join(".aws")).unwrap();
    tool.file(".aws/config", config);
    tool
}

fn works(ran: Ran) {
    let banner = format!("production account {ACCOUNT} eu-central-1 ");
    assert!(ran.stderr.contains(&banner), "{}", ran.stderr);
    ran.ok();
}

#[tokio::test]
async fn a_proxy_tunnels_tls_and_sees_the_hosts_alone() {
    let world = World::new().await;
    for (variable, user) in [
        ("HTTPS_PROXY", ""),
        ("https_proxy", ""),
        ("ALL_PROXY", "me:s%40cret@"),
        ("all_proxy", "me:s%40cret@"),
    ] {
        let before = world.tunnel.heads().len();
        let tool = with_keys(world.bare())
            .with(variable, &world.tunnel.url(user))
            .with("AWS_CA_BUNDLE", "ca.pem");
        let ran = tool.run(&COUNT);
        assert!(!ran.stderr.contains("cret"), "{}", ran.stderr);
        works(ran);
        let heads = world.tunnel.heads().split_off(before);
        let hosts: Vec<&str> = heads
            .iter()
            .filter_map(|head| head.split_whitespace().nth(1))
            .collect();
        assert_eq!(hosts[0], "sts.eu-central-1.amazonaws.com:443");
        assert!(
            hosts[1..]
                .iter()
                .all(|host| *host == "dynamodb.eu-central-1.amazonaws.com:443"),
            "{hosts:?}"
        );
        assert!(hosts.len() > 1);
        let basic = "Proxy-Authorization: Basic bWU6c0BjcmV0\r\n";
        for head in &heads {
            assert_eq!(head.contains(basic), !user.is_empty(), "{head}");
            assert!(!head.contains("AWS4"), "{head}");
        }
    }
}

/// A loopback endpoint that a flag names is not AWS, whatever is set. A local command reads none of the variables.
#[tokio::test]
async fn a_proxy_is_for_aws_alone() {
    let world = World::new().await;
    let trap = Server::trap();
    let variables = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
    ];
    let mut flagged = with_keys(world.bare());
    for variable in variables {
        flagged = flagged.with(variable, &trap.url());
    }
    let options = world.aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    works(flagged.run(&[&["scan", "--count"], &options[..]].concat()));
    let mut local = tool(Door::Own, &world.sandbox)
        .with("AWS_CA_BUNDLE", "/nonexistent")
        .with("AWS_DEFAULT_PROFILE", "gone");
    for variable in variables {
        local = local.with(variable, "socks5://nonsense");
    }
    local.run(&["scan", "--count"]).ok();
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn what_is_no_proxy_and_no_bundle_is_refused_by_name() {
    let world = World::new().await;
    world.bare().file("x", "");
    for (variable, value, said) in [
        (
            "HTTPS_PROXY",
            "socks5://me:hush@localhost:1",
            "HTTPS_PROXY: only http and https",
        ),
        (
            "ALL_PROXY",
            "http://me:hush@",
            "ALL_PROXY: not the URL of a proxy",
        ),
        (
            "AWS_CA_BUNDLE",
            "gone.pem",
            "AWS_CA_BUNDLE: gone.pem: No such file",
        ),
        (
            "AWS_CA_BUNDLE",
            "empty.pem",
            "AWS_CA_BUNDLE: empty.pem: it contains no certificate",
        ),
        ("AWS_CA_BUNDLE", "bad.pem", "AWS_CA_BUNDLE: bad.pem: "),
    ] {
        let tool = with_keys(world.bare()).with(variable, value);
        tool.file("empty.pem", "nothing\n");
        tool.file(
            "bad.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        );
        let ran = tool.run(&COUNT);
        ran.fails_with_hint(2, said);
        assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
    }
    assert_eq!(world.tunnel.connections(), 0);
}

#[tokio::test]
async fn the_roots_are_those_of_the_bundle() {
    let world = World::new().await;
    let proxied = || with_keys(world.bare()).with("HTTPS_PROXY", &world.tunnel.url("me:hush@"));
    // The system's roots do not know this certificate.
    let ran = proxied().run(&COUNT);
    ran.fails_with_hint(
        1,
        "GetCallerIdentity on production eu-central-1 through the proxy http://127.0.0.1:",
    );
    assert!(ran.stderr.contains("no connection: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("AWS_CA_BUNDLE"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
    let config = "[default]\nca_bundle = ca.pem\n[profile gone]\nca_bundle = gone.pem\n";
    works(with_config(proxied(), config).run(&COUNT));
    let gone = with_config(proxied(), config).run(&[&COUNT[..], &["--profile", "gone"]].concat());
    gone.fails_with_hint(2, "ca_bundle of the profile `gone`: gone.pem: ");
    // The variable takes precedence over the profile.
    let both = with_config(proxied().with("AWS_CA_BUNDLE", "ca.pem"), config);
    works(both.with("AWS_PROFILE", "gone").run(&COUNT));
}

const PROFILES: &str = "\
[profile keys]
aws_access_key_id = AKIATESTER
aws_secret_access_key = secret

[profile role]
role_arn = arn:aws:iam::123456789012:role/r
credential_source = Environment

[profile second]
role_arn = arn:aws:iam::123456789012:role/second
source_profile = role

[profile denied]
role_arn = arn:aws:iam::123456789012:role/forbidden
source_profile = keys

[profile console]
login_session = arn:aws:iam::123456789012:user/me

[profile careful]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/me

[profile behind]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = careful

[profile broken]
credential_process = sh -c 'echo hush >&2; exit 3'
";

#[tokio::test]
async fn a_profile_may_take_its_credentials_from_the_environment() {
    for (profile, roles) in [("role", 1), ("second", 2)] {
        let world = World::new().await;
        let tool = with_config(with_keys(world.connected()), PROFILES);
        works(tool.run(&[&COUNT[..], &["--profile", profile]].concat()));
        let asked = world.aws.operations();
        assert_eq!(asked[..roles], vec!["AssumeRole"; roles], "{asked:?}");
        assert_eq!(asked[roles], "GetCallerIdentity");
        let without = with_config(world.connected(), PROFILES);
        without
            .run(&[&COUNT[..], &["--profile", profile]].concat())
            .fails_with_hint(2, "AWS_ACCESS_KEY_ID is not set");
    }
}

#[tokio::test]
async fn the_older_variable_names_a_profile_too() {
    let world = World::new().await;
    let tool = || with_config(world.connected(), PROFILES);
    works(tool().with("AWS_DEFAULT_PROFILE", "keys").run(&COUNT));
    tool()
        .with("AWS_DEFAULT_PROFILE", "gone")
        .run(&COUNT)
        .fails_with_hint(2, "no AWS profile `gone`");
    let both = tool()
        .with("AWS_PROFILE", "keys")
        .with("AWS_DEFAULT_PROFILE", "other");
    both.run(&COUNT).fails_with_hint(
        2,
        "AWS_PROFILE is `keys`, and AWS_DEFAULT_PROFILE is `other`",
    );
    works(both.run(&[&COUNT[..], &["--profile", "keys"]].concat()));
}

/// What is not supported is refused, not ignored: without its code AWS would refuse a role, or the keys behind it
/// would be used.
#[tokio::test]
async fn what_cannot_be_honoured_is_refused_by_name() {
    let world = World::new().await;
    for (profile, said) in [
        ("careful", "the profile `careful` has mfa_serial"),
        ("behind", "the profile `careful` has mfa_serial"),
        ("console", "the profile `console` has login_session"),
    ] {
        let tool = || with_config(world.connected(), PROFILES);
        let flag = tool().run(&[&COUNT[..], &["--profile", profile]].concat());
        flag.fails_with_hint(2, said);
        assert!(
            flag.stderr.contains("export-credentials"),
            "{}",
            flag.stderr
        );
        let variable = tool().with("AWS_PROFILE", profile);
        variable.run(&COUNT).fails_with_hint(2, said);
    }
    assert_eq!(world.tunnel.connections(), 0);
    // Keys in variables take precedence over a profile that no flag names.
    let keys = with_keys(with_config(world.connected(), PROFILES));
    works(keys.with("AWS_PROFILE", "careful").run(&COUNT));
}

#[tokio::test]
async fn an_error_of_credentials_is_said_to_be_one() {
    let world = World::new().await;
    for (profile, said) in [
        (
            "denied",
            "no credentials: AccessDenied: not yours to assume",
        ),
        ("broken", "no credentials: "),
    ] {
        let tool = with_config(world.connected(), PROFILES);
        let ran = tool.run(&[&COUNT[..], &["--profile", profile]].concat());
        ran.fails_with_hint(1, said);
        assert!(
            !ran.stderr.contains("the connection broke"),
            "{}",
            ran.stderr
        );
    }
    let none = world.connected().run(&COUNT);
    none.fails_with_hint(1, "no credentials: ");
}

/// A process that returns other credentials from its second run on. All of them have expired, so each request asks
/// for new ones.
fn renewing(world: &World, second: &str) -> Tool {
    let script = format!(
        "key=AKIATESTER; if [ -e again ]; then key={second}; fi; : > again\n\
         echo '{{\"Version\": 1, \"AccessKeyId\": \"'$key'\", \"SecretAccessKey\": \"s\", \"SessionToken\": \"t\", \"Expiration\": \"2020-01-01T00:00:00Z\"}}'\n"
    );
    let config = "[profile renewing]\ncredential_process = sh renew.sh\n";
    let tool = with_config(world.connected(), config).with("AWS_PROFILE", "renewing");
    tool.file("renew.sh", script);
    // The script uses builtins only, but the shell itself has to be found.
    tool.with("PATH", "/usr/bin:/bin")
}

#[tokio::test]
async fn p05_renewed_credentials_of_another_account_are_never_used() {
    let world = World::new().await;
    let other = renewing(&world, &format!("{OTHER_KEY}1"));
    let refused = format!(
        "no credentials: those that were renewed are for account {OTHER_ACCOUNT}, not for {ACCOUNT}"
    );
    let expected = ["--expect-account", ACCOUNT];
    for more in [&expected[..], &[]] {
        let _ = std::fs::remove_file(other.home().join("again"));
        let ran = other.run(&[&COUNT[..], more].concat());
        ran.fails_with_hint(1, &refused);
    }
    let asked = world.aws.operations();
    assert!(
        asked.iter().all(|asked| asked == "GetCallerIdentity"),
        "{asked:?}"
    );
    // Those of the same account are used.
    works(renewing(&world, "AKIANEXT").run(&[&COUNT[..], &expected].concat()));
}

#[tokio::test]
async fn p02_aws_is_never_spoken_to_in_the_clear() {
    let world = World::new().await;
    let url = "http://dynamodb.eu-central-1.amazonaws.com";
    for flag in ["--endpoint-url", "--sts-endpoint-url"] {
        let tool = with_keys(world.connected()).with("HTTP_PROXY", &world.tunnel.url(""));
        tool.run(&[&COUNT[..], &[flag, url]].concat())
            .fails_with_hint(2, &format!("{flag}: {url} is AWS without TLS"));
    }
    assert_eq!(world.tunnel.connections(), 0);
}

#[tokio::test]
async fn a_variable_that_is_no_text_is_refused_where_it_is_read() {
    let world = World::new().await;
    let odd = OsStr::from_bytes(b"\xff");
    let run = |tool: &Tool, variable: &str, arguments: &[&str]| -> Ran {
        let mut command = tool.command(arguments);
        command.env(variable, odd).output().unwrap().into()
    };
    let production = with_keys(world.connected());
    for variable in [
        "AWS_PROFILE",
        "HTTPS_PROXY",
        "NO_PROXY",
        "AWS_CA_BUNDLE",
        "AWS_SESSION_TOKEN",
        "HOME",
    ] {
        let said = format!("the variable {variable} is not UTF-8");
        run(&production, variable, &COUNT).fails_with_hint(2, &said);
    }
    assert_eq!(world.tunnel.connections(), 0);
    let local = tool(Door::Own, &world.sandbox);
    for (variable, arguments) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", vec!["scan", "--count"]),
        ("DDB_MESSAGE_TABLE", vec!["scan", "--count"]),
        ("AWS_REGION", vec!["scan", "--count"]),
        ("DDB_ME", vec!["list-conversations"]),
        ("DATABASE_URL", vec!["seed"]),
    ] {
        let said = format!("the variable {variable} is not UTF-8");
        run(&local, variable, &arguments).fails_with_hint(2, &said);
    }
    // Variables that are not read do not matter.
    for variable in ["AWS_PROFILE", "HTTPS_PROXY", "PGHOST", "LC_ANYTHING"] {
        run(&local, variable, &["scan", "--count"]).ok();
    }
}

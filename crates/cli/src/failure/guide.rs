//! Hints as people see them: each command line complete, with the target of the command that ran.

use std::fmt::Write;
use std::sync::Arc;

use clap::ArgMatches;
use ddb_core::connect::DEFAULT_REGION;
use ddb_core::environment::Environment;
use ddb_core::error::ConnectFault;

use super::Hint;
use super::flags::{DEFAULT_ENDPOINT, TargetFlags};
use crate::shell::quote;

/// Turns hints into text. It knows the command that runs, its target, and the options of other commands.
#[derive(Debug, Clone)]
pub struct Guide(Arc<Known>);

#[derive(Debug)]
struct Known {
    /// Makes the command line of `ddb` with all its commands.
    catalog: fn() -> clap::Command,
    /// Makes the command line of the command that runs.
    command: fn() -> clap::Command,
    /// The command line as it was typed.
    typed: Vec<String>,
    target: TargetFlags,
}

impl Guide {
    /// Takes what was typed for a command. `command` makes its command line, and `catalog` makes that of `ddb` with all
    /// its commands.
    pub fn new(
        catalog: fn() -> clap::Command,
        command: fn() -> clap::Command,
        options: &ArgMatches,
        environment: &Environment,
    ) -> Self {
        let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        Self(Arc::new(Known {
            catalog,
            command,
            typed: typed.collect(),
            target: TargetFlags::read(options, environment),
        }))
    }

    /// Makes a guide that knows no command, so its hints get no target.
    pub fn nowhere() -> Self {
        let nothing = || clap::Command::new("ddb");
        Self(Arc::new(Known {
            catalog: nothing,
            command: nothing,
            typed: Vec::new(),
            target: TargetFlags::default(),
        }))
    }

    /// Returns the start of an AWS CLI line that goes to the command's target, and the options that lead it there.
    pub fn aws_line(&self) -> (&'static str, String) {
        let target = &self.0.target;
        let mut options: Vec<(&str, &str)> = target
            .options
            .iter()
            .filter(|(name, _)| ["endpoint-url", "region", "profile"].contains(name))
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
            .collect();
        let mut start = "aws dynamodb";
        if !target.production {
            start = "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local aws dynamodb";
            for default in [
                ("endpoint-url", DEFAULT_ENDPOINT),
                ("region", DEFAULT_REGION),
            ] {
                if options.iter().all(|(name, _)| *name != default.0) {
                    options.push(default);
                }
            }
        }
        let options = options
            .iter()
            .map(|(name, value)| format!(" --{name} {}", quote(value)));
        (start, options.collect())
    }

    /// Returns the path of the policy that the command needs.
    pub fn policy_file(&self) -> String {
        format!("iam/{}.json", policy(&self.command()))
    }

    /// Returns a hint as people see it.
    pub fn words(&self, hint: &Hint) -> String {
        let text = match hint {
            Hint::Fixed(text) => (*text).to_owned(),
            Hint::Made(text) => text.clone(),
            Hint::Whole(text) => return text.clone(),
            Hint::Again { with, does } => format!("`{} {with}` {does}", self.typed()),
            Hint::Denied { action } => format!(
                "the role may not do {action}; {} in the repository has all that this command needs",
                self.policy_file()
            ),
            Hint::NoCredentials => "`aws configure` stores keys, and `aws sso login --profile NAME` starts an SSO session; --profile or AWS_PROFILE chooses a profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY hold keys".to_owned(),
            Hint::BadCredentials => self.bad_credentials(),
            Hint::Unreachable(fault) => self.unreachable(*fault).to_owned(),
            Hint::NoService => self.no_service().to_owned(),
            Hint::Throttled => self.throttled(),
            Hint::About(what, hint) => return format!("{what}: {}", self.words(hint)),
        };
        self.with_targets(&text)
    }

    /// Returns the name of the command.
    fn command(&self) -> String {
        (self.0.command)().get_name().to_owned()
    }

    /// Returns the command line as it was typed, as a line of `ddb`. A separate binary is the command with the same
    /// name.
    fn typed(&self) -> String {
        let mut words = self.0.typed.iter();
        let program = words.next().map(String::as_str).unwrap_or_default();
        let mut line = "ddb".to_owned();
        if !std::path::Path::new(program).ends_with("ddb") {
            line = format!("{line} {}", self.command());
        }
        for word in words {
            line = format!("{line} {}", quote(word));
        }
        line
    }

    fn bad_credentials(&self) -> String {
        let target = &self.0.target;
        if !target.production {
            return "is that endpoint a local one? It refuses the dummy credentials of local commands".to_owned();
        }
        match &target.profile {
            Some(profile) => {
                let profile = quote(profile);
                format!(
                    "`aws sso login --profile {profile}` starts a new SSO session; without SSO, `aws configure list --profile {profile}` shows where the credentials come from"
                )
            }
            None => "`aws sso login` starts a new SSO session; without SSO, `aws configure list` shows where the credentials come from".to_owned(),
        }
    }

    fn unreachable(&self, fault: ConnectFault) -> &'static str {
        match (fault, self.0.target.production) {
            (ConnectFault::NotTls, _) => "write the endpoint with http://",
            (ConnectFault::UnknownHost, true) => {
                "is the region spelled right, and is this machine online? Behind a proxy, set HTTPS_PROXY"
            }
            (ConnectFault::UnknownHost, false) => "is the name of the host spelled right?",
            (ConnectFault::NoRoute, _) => "is this machine online, and is the VPN up?",
            (ConnectFault::Other, true) => {
                "is this machine online? HTTPS_PROXY names a proxy, AWS_CA_BUNDLE root certificates, where the network needs them"
            }
            (ConnectFault::Other, false) => {
                "start an endpoint with `ddb local` or `docker compose up -d`, or name another one with --endpoint-url"
            }
        }
    }

    fn no_service(&self) -> &'static str {
        if self.0.target.production {
            "is a proxy or a firewall between here and AWS? -v shows where the request went"
        } else {
            "is that a DynamoDB endpoint, and is it healthy? `ddb local` starts one"
        }
    }

    fn throttled(&self) -> String {
        let mut text = String::new();
        if self.has_option(&self.command(), "max-rcu") {
            text.push_str("--max-rcu N reads more slowly; ");
        }
        text.push_str(
            "`ddb schema-load --billing on-demand --apply` removes the limit of the table",
        );
        text
    }

    /// Checks whether a command has an option.
    fn has_option(&self, command: &str, option: &str) -> bool {
        let catalog = (self.0.catalog)();
        let found = catalog.find_subcommand(command);
        found.is_some_and(|command| has_option(command, option))
    }

    /// Adds the target to each command line in a text.
    fn with_targets(&self, text: &str) -> String {
        if !text.contains("`ddb ") || self.0.target.options.is_empty() {
            return text.to_owned();
        }
        let catalog = (self.0.catalog)();
        let parts: Vec<String> = text
            .split('`')
            .enumerate()
            .map(|(at, part)| match part.strip_prefix("ddb ") {
                Some(rest) if at % 2 == 1 => format!("ddb {}", self.with_target(&catalog, rest)),
                _ => part.to_owned(),
            })
            .collect();
        parts.join("`")
    }

    /// Adds to one command line the target options that its command has and that are not there yet.
    fn with_target(&self, catalog: &clap::Command, line: &str) -> String {
        // Anything after the command belongs to the shell.
        let end = [" | ", " > ", " < ", " && "]
            .iter()
            .filter_map(|mark| line.find(mark))
            .min()
            .unwrap_or(line.len());
        let (line, after) = line.split_at(end);
        let words: Vec<&str> = line.split(' ').collect();
        let Some(command) = words.iter().find_map(|word| catalog.find_subcommand(word)) else {
            return format!("{line}{after}");
        };
        let mut whole = line.to_owned();
        for (name, value) in &self.0.target.options {
            let stands = words.iter().any(|word| {
                word.strip_prefix("--")
                    .and_then(|word| word.strip_prefix(name))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
            });
            if stands || !has_option(command, name) {
                continue;
            }
            // Writing to a String cannot fail.
            let _ = write!(whole, " --{name}");
            if let Some(value) = value {
                let _ = write!(whole, " {}", quote(value));
            }
        }
        whole + after
    }
}

fn has_option(command: &clap::Command, option: &str) -> bool {
    let mut options = command.get_arguments();
    options.any(|argument| argument.get_long() == Some(option))
}

/// Returns the name of the policy that a command needs.
fn policy(command: &str) -> &str {
    match command {
        "update-cognito-user-ids" | "db-setup" => "list-users",
        command => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::GROUPS;
    use crate::multicall::{catalog, command};

    fn guide(line: &str, variables: &[(&str, &str)]) -> Guide {
        let words: Vec<&str> = line.split(' ').collect();
        let matches = command().try_get_matches_from(&words).unwrap();
        let (name, options) = matches.subcommand().unwrap();
        let entries = GROUPS.iter().flat_map(|(_, entries)| *entries);
        let entry = { entries }.find(|entry| entry.line.name() == name).unwrap();
        let environment = variables.iter().copied().collect();
        Guide::new(catalog, entry.line.command, options, &environment)
    }

    fn words(line: &str, variables: &[(&str, &str)], hint: impl Into<Hint>) -> String {
        guide(line, variables).words(&hint.into())
    }

    #[test]
    fn a_line_has_the_whole_target() {
        let load =
            "`ddb schema-load` creates the table, `ddb list-tables` shows those that are there";
        assert_eq!(words("ddb scan", &[], load), load);
        assert_eq!(
            words(
                "ddb scan --prod --region eu-west-1 --profile ops --table legacy",
                &[],
                load
            ),
            "`ddb schema-load --prod --region eu-west-1 --profile ops --table legacy` creates the table, \
             `ddb list-tables --prod --region eu-west-1 --profile ops` shows those that are there"
        );
        assert_eq!(
            words(
                "ddb scan",
                &[
                    ("DDB_ENDPOINT_URL", "http://localhost:8001"),
                    ("DDB_MESSAGE_TABLE", "legacy"),
                ],
                "`ddb seed | cat` loads, `ddb local` does not",
            ),
            "`ddb seed --endpoint-url http://localhost:8001 --table legacy | cat` loads, `ddb local` does not"
        );
    }

    #[test]
    fn what_stands_in_a_line_is_not_added_again() {
        assert_eq!(
            words(
                "ddb scan --table legacy",
                &[],
                "`ddb scan --table other`, `ddb scan --table=other`"
            ),
            "`ddb scan --table other`, `ddb scan --table=other`"
        );
    }

    #[test]
    fn production_looks_at_no_local_endpoint() {
        let variables = [
            ("DDB_ENDPOINT_URL", "http://localhost:8001"),
            ("AWS_PROFILE", "ops"),
        ];
        let line = words("ddb scan --prod", &variables, "`ddb scan`");
        assert_eq!(line, "`ddb scan --prod --profile ops`");
        // Keys take precedence over a profile that a variable names.
        let keys = [("AWS_PROFILE", "ops"), ("AWS_ACCESS_KEY_ID", "AKIA")];
        assert_eq!(
            words("ddb scan --prod", &keys, "`ddb scan`"),
            "`ddb scan --prod`"
        );
    }

    #[test]
    fn nothing_local_is_advised_for_production() {
        let faults = [
            ConnectFault::UnknownHost,
            ConnectFault::NoRoute,
            ConnectFault::NotTls,
            ConnectFault::Other,
        ];
        for fault in faults {
            let said = words("ddb scan --prod", &[], Hint::Unreachable(fault));
            assert!(!said.contains("ddb local"), "{said}");
        }
        let said = words("ddb scan", &[], Hint::Unreachable(ConnectFault::Other));
        assert!(said.contains("`ddb local`"), "{said}");
    }

    #[test]
    fn throttling_names_what_the_command_has() {
        let scan = words("ddb scan", &[], Hint::Throttled);
        assert!(scan.starts_with("--max-rcu N"), "{scan}");
        let get = words("ddb drop legacy", &[], Hint::Throttled);
        assert!(
            !get.contains("--max-rcu") && get.contains("on-demand"),
            "{get}"
        );
    }

    #[test]
    fn every_command_that_asks_aws_has_its_policy() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../iam");
        for command in catalog().get_subcommands() {
            if has_option(command, "prod") {
                let file = folder.join(format!("{}.json", policy(command.get_name())));
                assert!(file.exists(), "{}", file.display());
            }
        }
    }
}

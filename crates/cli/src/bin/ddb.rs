//! `ddb`: the front door, see [`ddb_cli::front`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::front::run()
}

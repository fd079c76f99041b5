//! `ddb`: the front door, see [`ddb_cli::multicall`].

#[cfg(not(test))]
fn main() -> std::process::ExitCode {
    ddb_cli::multicall::run()
}

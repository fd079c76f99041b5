//! `ddb`: the front door, see [`ddb_cli::front`].

#[cfg(not(test))]
fn main() -> std::process::ExitCode {
    ddb_cli::front::run()
}

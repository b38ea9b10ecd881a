//! `streamflow-hub`; what it does is in the library.

fn main() -> std::process::ExitCode {
    streamflow::cli::hub::main()
}

//! `streamflow-send`; what it does is in the library.

fn main() -> std::process::ExitCode {
    streamflow::cli::send::main()
}

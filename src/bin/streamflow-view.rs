//! `streamflow-view`; what it does is in the library.

fn main() -> std::process::ExitCode {
    streamflow::cli::view::main()
}

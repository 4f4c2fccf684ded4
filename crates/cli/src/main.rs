//! The `hostssl` command.

fn main() -> std::process::ExitCode {
    hostssl::main()
}

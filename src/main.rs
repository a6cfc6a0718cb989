//! Everything is in the library.

fn main() -> std::process::ExitCode {
    gnss2shm::main()
}

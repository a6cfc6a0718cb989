//! Tests in a separate process: because its resources are counted, or because another test's child would briefly hold
//! their ports. They take longest, so they start first.

use std::process::{Child, Command, Stdio};

use crate::library::common::start;

/// Starts one ignored test of this test binary in a separate process.
pub fn alone(test: &str, stdin: Stdio) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("library::{test}"), "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    start(command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Waits for a test in a separate process, and passes on its output.
pub fn passes(test: Child) {
    let output = test.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn all_pass<const N: usize>(tests: [&str; N]) {
    tests.map(|test| alone(test, Stdio::null())).into_iter().for_each(passes);
}

#[test]
fn every_source_may_be_pulled_away_and_given_back() {
    all_pass(["stream::pull_serial", "stream::pull_tcp", "stream::pull_fifo"]);
}

/// In a separate network namespace, where packets can be dropped.
#[test]
fn a_server_that_vanishes_is_named_and_connected_to_again() {
    if !crate::library::common::is_root() {
        println!("skipped: only root may have a network of its own");
        return;
    }
    let mut command = Command::new("unshare");
    command.arg("--net").arg(std::env::current_exe().unwrap());
    command.args(["library::stream::vanish", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    passes(start(command.stdout(Stdio::piped()).stderr(Stdio::piped())));
}

#[test]
fn gpsd_and_its_device_go_and_come_back_and_nothing_is_left_behind() {
    all_pass(["gpsd::go_and_come_back"]);
}

#[test]
fn what_is_there_to_probe_is_found_and_judged() {
    all_pass([
        "probe::every_port_is_heard_at_its_rate_and_what_cannot_be_used_is_named",
        "probe::a_gpsd_that_has_the_receiver_is_offered_and_samples_go_to_a_unit_beside_its_own",
        "probe::the_engine_judges_a_simulated_receiver_and_its_figures_are_the_simulations",
    ]);
}

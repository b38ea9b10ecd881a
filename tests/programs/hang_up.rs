//! A terminal that goes away.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::running::*;
use crate::support::limited;

#[test]
fn a_program_outlives_its_terminal_where_it_was_started_so_and_ends_well_otherwise() {
    limited(|| {
        // Also where these tests are run by `nohup`.
        let mut other = Running::start(command("env", ["--default-signal=HUP", HUB, "--listen", "127.0.0.1:0"]));
        other.says("hosts the hub at ");
        other.signal(Signal::HUP);
        let ended = other.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");

        // As `nohup` does it.
        let line = ["-c", "trap '' HUP; exec \"$@\"", "sh", HUB, "--listen", "127.0.0.1:0"];
        let mut stays = Running::start(command("sh", line));
        let said = stays.says("hosts the hub at ");
        let address = said.split("hosts the hub at ").nth(1).unwrap().split(": ").next().unwrap();
        stays.signal(Signal::HUP);
        // Who is told to end has ended after a second, whatever it does.
        thread::sleep(Duration::from_millis(1500));
        let listed = run(VIEW, &["--list", "--host", address]);
        assert_eq!(listed.code, Some(0), "{listed:?}");
        stays.signal(Signal::TERM);
        let ended = stays.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    });
}

//! Links and tokens as people paste them: how they get into a program, and that none comes out of it again.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::running::*;
use crate::support::limited;

const TOKEN: &str = "t0ps3cret";
// Port 1 is nobody's (tcpmux, RFC 1078, long gone).
const LINK: &str = "sf://127.0.0.1:1/main/door#token=t0ps3cret&key=t0ps3cret-t0ps3cret";

#[track_caller]
fn keeps_quiet(ended: &Ended) {
    assert!(!ended.err.contains(TOKEN) && !ended.out.contains(TOKEN), "{ended:?}");
}

#[test]
fn a_token_is_in_no_line_that_a_program_says() {
    limited(|| {
        let folder = folder("no-token");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("token");
        fs::write(&file, TOKEN).unwrap();
        let file = file.to_str().unwrap();
        for program in [VIEW, SEND] {
            let common = ["-vv", "--retries", "1", if program == VIEW { "--headless" } else { "--source=pattern" }];
            for (more, code) in [
                (&["--join", LINK][..], 5),
                (&["--host", "127.0.0.1:1", "--token-file", file], 5),
                (&["--join", "sf://127.0.0.1:1/a/b/c#token=t0ps3cret"], 2),
                (&["--join", TOKEN], 2),
                (&["--host", LINK], 2),
                (&[LINK], 2),
                (&["--join", LINK, "--host", "desk"], 2),
                (&["--host", "desk", "--no-tls", "--token-file", file], 2),
            ] {
                let mut command = command(program, common.iter().chain(more));
                command.env("STREAMFLOW_STATE", &folder);
                let ended = Running::start(command).end();
                assert_eq!(ended.code, Some(code), "{more:?}: {ended:?}");
                keeps_quiet(&ended);
            }
            let mut help = command(program, ["--help"]);
            help.env("STREAMFLOW_JOIN", LINK).env("STREAMFLOW_TOKEN", TOKEN);
            keeps_quiet(&Running::start(help).end());
        }
        let misplaced = run(VIEW, &["--headless", LINK]);
        assert!(
            misplaced.err.contains("sf://127.0.0.1:1/main/door#…") && misplaced.err.contains("--join"),
            "{misplaced:?}"
        );
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_link_that_is_not_typed_comes_on_standard_input_or_in_a_file() {
    limited(|| {
        let folder = folder("link-file");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("link");
        fs::write(&file, format!("{LINK}\n")).unwrap();
        let started = |more: &[&str], input: &str| {
            let mut command = command(VIEW, ["--headless", "--retries", "0"].iter().chain(more));
            command.env("STREAMFLOW_STATE", &folder).stdin(Stdio::piped());
            let mut running = Running::start(command);
            // Who does not read it may have ended.
            let _ = running.child.stdin.take().unwrap().write_all(input.as_bytes());
            running.end()
        };
        for (more, input) in [
            (&["--join"][..], LINK),
            (&["--join-file", "-"], LINK),
            (&["--join-file", file.to_str().unwrap()], ""),
            (&["--host", "127.0.0.1:1", "--token-file", "-"], "t0ps3cret\n"),
        ] {
            let ended = started(more, input);
            assert_eq!(ended.code, Some(5), "{more:?}: {ended:?}");
            assert!(ended.err.contains("127.0.0.1:1 unreachable"), "{ended:?}");
            keeps_quiet(&ended);
        }
        let none = started(&["--join"], "");
        assert_eq!(none.code, Some(2), "{none:?}");
        assert!(none.err.contains("the link is missing"), "{none:?}");
        // Pictures and a link cannot both come that way.
        let both = run(SEND, &["--source", "-", "--join"]);
        assert_eq!(both.code, Some(2), "{both:?}");
        assert!(both.err.contains("must be in a file"), "{both:?}");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_link_that_is_made_before_any_hub_has_run_says_what_it_lacks() {
    limited(|| {
        let folder = folder("no-hub-yet");
        let state = folder.to_str().unwrap();
        let made = run(HUB, &["link", "--view", "main/door", "--state", state]);
        assert_eq!(made.code, Some(0), "{made:?}");
        assert!(made.out.contains("sf://") && !made.out.contains("pin="), "{made:?}");
        assert!(made.err.contains("no hub has run") && made.err.contains(state), "{made:?}");
        // What was there once is known.
        let mut hub = Running::start(command(HUB, ["--listen", "0.0.0.0:0", "--state", state]));
        hub.says("for a link:");
        let made = run(HUB, &["link", "--view", "main/door", "--state", state]);
        assert!(made.out.contains("pin=") && made.err.is_empty(), "{made:?}");
        drop(hub);
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_clock_that_is_not_set_is_told_of_when_a_hub_starts_and_takes_no_link_that_ends() {
    limited(|| {
        let folder = folder("clock");
        let kept = folder.join("state/signing-keys");
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        // As if this machine had begun anew at a time long before.
        let early = link(&folder, "127.0.0.1:1", &["--view", "main/door"]);
        let in_ten_days = SystemTime::now() + Duration::from_secs(10 * 24 * 3600);
        fs::File::options().append(true).open(&kept).unwrap().set_modified(in_ten_days).unwrap();
        let (hub, host) = asking_hub(&folder);
        let mut view = command(VIEW, ["--headless", "--join", &early.replace("127.0.0.1:1", &host)]);
        view.env("STREAMFLOW_STATE", folder.join("viewer"));
        let refused = Running::start(view).end();
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(refused.err.contains("while the clock of this hub is not set"), "{refused:?}");
        // Nor is one made, or ended, by such a clock; one that does not end is.
        let state = folder.join("state");
        let state = ["--state", state.to_str().unwrap()];
        let asked = |words: &[&str]| run(HUB, &[&["link"], words, &state].concat());
        for words in [&["--view", "main"][..], &["revoke", "all"]] {
            let refused = asked(words);
            assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{refused:?}");
            assert!(refused.err.contains("the clock of this machine is not set"), "{refused:?}");
        }
        assert_eq!(asked(&["--view", "main", "--for", "ever"]).code, Some(0));
        hub.signal(rustix::process::Signal::TERM);
        let said = hub.end().err;
        let line = said.lines().find(|line| line.contains("the clock of this machine is not set")).unwrap();
        assert!(line.contains("links that end") && line.contains("touch") && line.contains("signing-keys"), "{line}");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn who_is_turned_away_behind_a_proxy_is_told_of_by_its_own_address() {
    limited(|| {
        let (hub, host) = hub(&["--behind-proxy", "127.0.0.1"]);
        let heads = [
            // A length that is none, and what is no second request.
            ("203.0.113.7", "POST /api/publish/main/door HTTP/1.1\r\nHost: hub\r\nContent-Length: one\r\n"),
            ("203.0.113.8", "GET /api/status HTTP/1.1\r\nHost: hub\r\n"),
        ];
        for (client, head) in heads {
            let mut socket = TcpStream::connect(&host).unwrap();
            write!(socket, "{head}X-Forwarded-For: {client}\r\nX-Forwarded-Proto: https\r\n\r\n\x02\x01x").unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            socket.read_to_end(&mut Vec::new()).unwrap();
        }
        hub.signal(rustix::process::Signal::TERM);
        let said = hub.end().err;
        for (client, _) in heads {
            assert!(said.lines().any(|line| line.contains(client)), "{client} is not in {said}");
        }
    });
}

//! The programs as a service manager has them: told when they are ready and alive, with sockets and secrets that it holds; and what
//! packages are made of.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::running::*;
use crate::support::{LONG, limited};

/// Where a program tells how it is.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(folder: &Path, command: &mut Command) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        command.env("NOTIFY_SOCKET", path);
        Self { socket }
    }

    /// Waits for this word.
    #[track_caller]
    fn hears(&self, word: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut said = [0; 4096];
            let Ok(length) = self.socket.recv(&mut said) else { panic!("never said {word}: {seen}") };
            let said = String::from_utf8_lossy(&said[..length]).into_owned();
            if said.lines().any(|line| line.starts_with(word)) {
                return said;
            }
            seen.push_str(&said);
        }
    }
}

#[test]
fn a_service_manager_hears_when_a_hub_serves_that_it_is_alive_and_that_it_ends() {
    limited(|| {
        let folder = folder("notify-hub");
        fs::create_dir_all(&folder).unwrap();
        let mut command = command(HUB, ["--listen", "127.0.0.1:0"]);
        // It is looked at four times in this time.
        command.env("WATCHDOG_USEC", "400000");
        let manager = Manager::new(&folder, &mut command);
        let hub = Running::start(command);
        manager.hears("READY=1");
        let said = manager.hears("STATUS=127.0.0.1:");
        assert!(said.contains("WATCHDOG=1") && said.contains("0 publish, 0 watch"), "{said}");
        manager.hears("WATCHDOG=1");
        hub.signal(Signal::TERM);
        manager.hears("STOPPING=1");
        assert_eq!(hub.end().code, Some(0));
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_service_manager_hears_when_a_sender_has_begun_and_that_it_ends() {
    limited(|| {
        let folder = folder("notify-send");
        fs::create_dir_all(&folder).unwrap();
        let (_hub, host) = hub(&[]);
        let mut command = command(SEND, ["--source", "pattern", "--host", &host]);
        let manager = Manager::new(&folder, &mut command);
        let sender = Running::start(command);
        manager.hears("READY=1");
        sender.signal(Signal::TERM);
        manager.hears("STOPPING=1");
        assert_eq!(sender.end().code, Some(0));
        fs::remove_dir_all(folder).unwrap();
    });
}

/// A hub that is given this socket, as systemd gives it: the third file, and the process that it is for.
fn activated(socket: &TcpListener, more: &[&str]) -> Running {
    let script = r#"LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; exec "$0" "$@" 3<&0 0</dev/null"#;
    let mut command = command("/bin/sh", ["-c", script, HUB].iter().chain(more));
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket.try_clone().unwrap())));
    Running::start(command)
}

#[test]
fn a_hub_serves_at_the_socket_that_it_is_given() {
    limited(|| {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let mut hub = activated(&socket, &[]);
        hub.says(&format!("hosts the hub at {address}: this machine alone can reach it"));
        let mut sender = sender(&address, "door");
        sender.says("door");
        let ended = run(VIEW, &["--headless", "--host", &address, "--frames", "1"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    });
}

#[test]
fn a_hub_whose_socket_others_reach_asks_them_and_who_has_a_credential_is_let_in() {
    limited(|| {
        let folder = folder("activated");
        let state = folder.join("state").display().to_string();
        let socket = TcpListener::bind("0.0.0.0:0").unwrap();
        let here = format!("127.0.0.1:{}", socket.local_addr().unwrap().port());
        let mut hub = activated(&socket, &["--state", &state, "--no-announce"]);
        hub.says("whoever has a link or a secret of it can publish and watch");
        let ended = run(HUB, &["check", "--listen", &here]);
        assert_eq!((ended.code, ended.out), (Some(0), format!("a hub answers at {here}\n")));

        // The right to publish one stream, as streamflow-send@door.service has it: and no name says where the hub is.
        let credentials = folder.join("credentials");
        fs::create_dir_all(&credentials).unwrap();
        let file = credentials.join("link").display().to_string();
        let of = ["link", "--publish", "main/door", "--host", &here, "--state", &state, "--save", &file];
        let made = run(HUB, &of);
        assert_eq!(made.code, Some(0), "{made:?}");
        assert!(!made.out.contains("token="), "{made:?}");
        let mut command = command(SEND, ["--source", "pattern", "--size", "320x240"]);
        command.env("CREDENTIALS_DIRECTORY", &credentials).env("STREAMFLOW_STATE", folder.join("other"));
        let _sender = Running::start(command);
        hub.says("publishes main/door");
        drop(hub);
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn what_is_typed_about_a_port_that_is_open_already_is_refused() {
    limited(|| {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let ended = activated(&socket, &["--listen", "0.0.0.0"]).end();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("ListenStream="), "{ended:?}");
    });
}

#[test]
fn a_check_says_who_is_there_instead_of_a_hub() {
    limited(|| {
        let mut other = Some(TcpListener::bind("127.0.0.1:0").unwrap());
        let here = other.as_ref().unwrap().local_addr().unwrap().to_string();
        for said in ["does not answer", "nobody listens"] {
            let ended = run(HUB, &["check", "--listen", &here]);
            assert!(ended.code == Some(5) && ended.err.contains(said), "{ended:?}");
            drop(other.take());
        }
    });
}

#[test]
fn every_option_is_in_the_completions_of_every_shell_and_in_the_manual_page() {
    let folder = folder("man");
    fs::create_dir_all(&folder).unwrap();
    for (program, name) in [(HUB, "streamflow-hub"), (SEND, "streamflow-send"), (VIEW, "streamflow-view")] {
        let help = run(program, &["--help"]).out;
        let of_help = |line: &str| {
            line.split_whitespace()
                .find(|word| word.starts_with("--"))
                .map(|word| word.trim_end_matches('.').to_owned())
        };
        let lines = help.lines().filter(|line| line.starts_with("  ") && line.trim_start().starts_with('-'));
        let options: Vec<_> = lines.filter_map(of_help).collect();
        assert!(options.len() > 20 && options.contains(&"--completions".into()), "{options:?}");
        let ended = run(program, &["--man-pages", folder.to_str().unwrap()]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let page = fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
        let page = page.replace('\\', "");
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let ended = run(program, &["--completions", shell]);
            assert_eq!(ended.code, Some(0), "{ended:?}");
            for option in &options {
                let word = option.trim_start_matches('-');
                assert!(ended.out.contains(word), "{option} is missing in {name} for {shell}");
                assert!(page.contains(option), "{option} is missing in {name}.1");
            }
        }
    }
    for page in ["streamflow-hub-link.1", "streamflow-hub-key-rotate.1", "streamflow-hub-check.1"] {
        assert!(folder.join(page).exists(), "{page}");
    }
    let lost = run(HUB, &["--man-pages", folder.join("no/such").to_str().unwrap()]);
    assert_eq!(lost.code, Some(1), "{lost:?}");
    fs::remove_dir_all(folder).unwrap();
}

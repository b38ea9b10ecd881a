//! Several cameras in one program, as a file names them.

use std::fs;

use crate::running::*;
use crate::support::{limited, until};

#[test]
fn a_file_runs_its_cameras_and_one_that_fails_stops_no_other() {
    limited(|| {
        let folder = folder("several");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("cameras.toml");
        let text = "[hub]\nlisten = \"127.0.0.1:0\"\n\n[camera.door]\nsource = \"pattern\"\nsize = \"320x240\"\n\n\
                    [camera.none]\nsource = \"/dev/video4000000\"\n\n[camera.gate]\nroom = \"yard\"\nsource = \"pattern\"\n";
        fs::write(&file, text).unwrap();
        let mut send = Running::start(command(SEND, ["--config", file.to_str().unwrap(), "--fps", "10"]));
        let line = send.says("hosts the hub at ");
        let host = line.split("hosts the hub at ").nth(1).unwrap().split(": ").next().unwrap().to_owned();
        send.says("main/none: /dev/video4000000 is not there");
        until("both cameras are there", || {
            let list = run(VIEW, &["--list", "--host", &host]).out;
            list.contains("main/door") && list.contains("yard/gate")
        });
        let seen = run(VIEW, &["--headless", "--host", &host, "--name", "yard/gate", "--frames", "2"]);
        assert_eq!(seen.code, Some(0), "{seen:?}");

        let path = file.to_str().unwrap();
        let printed = run(SEND, &["--config", path, "--print-config", "--quality", "33"]);
        assert_eq!(printed.out.matches("\nquality = 33\n").count(), 3, "{printed:?}");
        let again = folder.join("again.toml");
        fs::write(&again, &printed.out).unwrap();
        let again = run(SEND, &["--config", again.to_str().unwrap(), "--print-config"]);
        assert_eq!(again.out, printed.out, "{again:?}");

        fs::write(&file, text.replace("size = \"320x240\"", "size = \"hunter2\"")).unwrap();
        let wrong = run(SEND, &["--config", path]);
        assert!(wrong.code == Some(2) && wrong.err.contains("cameras.toml:6: size: "), "{wrong:?}");
        assert!(!wrong.err.contains("hunter2"), "{wrong:?}");
        fs::remove_dir_all(folder).unwrap();
    });
}

use std::fs;

use clap::{CommandFactory as _, FromArgMatches as _};

use super::*;
use crate::cli::send::print_config;
use crate::cli::send::{Options, adapt, camera};
use crate::cli::settings;

const GOOD: &str = r#"
[hub]
listen = "127.0.0.1:0"
max-viewers = 10
allow-origin = ["https://a.example", "https://b.example"]

[camera.door]
source = "pattern"
size = "320x240"
quality = 60
skip-same = true

[camera.gate]
room = "yard"
source = "nokhwa:1"
fps = 12.5
adapt = false
replace = false
audio = "beep"
mute = true
"#;

fn command() -> Command {
    adapt(Options::command())
}

fn line(typed: &[&str]) -> Vec<OsString> {
    ["streamflow-send", "--config", "x"].iter().chain(typed).map(OsString::from).collect()
}

fn options(text: &str, typed: &[&str]) -> Result<Vec<Options>> {
    let file = ConfigFile::parse(text, command()).unwrap();
    let line = line(typed);
    // What is set on this machine must not decide a test.
    let command = settings::command(command().mut_args(|arg| arg.env(None)), &line);
    let all = file.cameras().iter().map(|camera| file.matches(&command, camera, &line));
    all.map(|matches| Ok(Options::from_arg_matches(&matches?).unwrap())).collect()
}

#[test]
fn a_file_has_a_hub_and_cameras_in_its_order() {
    let all = options(GOOD, &[]).unwrap();
    let names: Vec<_> = all.iter().map(camera::stream_of).collect();
    assert_eq!(names, [(None, "door".to_owned()), (Some("yard".into()), "gate".into())]);
    let [door, gate] = &all[..] else { panic!("two cameras") };
    assert_eq!((door.source.as_str(), door.quality, door.skip_same, door.adapt), ("pattern", Some(60), true, true));
    assert_eq!((gate.fps, gate.quality, gate.adapt, gate.replace), (12.5, None, false, false));
    for options in &all {
        assert_eq!((options.hub.limits.max_viewers, options.hub.limits.allow_origin.len()), (10, 2));
    }
    let config = camera::config(gate).unwrap();
    assert_eq!((config.audio.as_deref(), config.mute), (Some("beep"), true));
    let config = camera::config(door).unwrap();
    assert_eq!((config.quality, config.reencode, config.min_quality), (60, true, 25));
}

#[test]
fn what_is_typed_counts_before_the_file_and_takes_what_it_excludes() {
    let all = options(GOOD, &["--quality", "30", "--max-viewers", "7"]).unwrap();
    assert!(all.iter().all(|options| options.quality == Some(30) && options.hub.limits.max_viewers == 7));
    let all = options(GOOD, &["--host", "desk"]).unwrap();
    for options in all {
        let location = options.hub.target(&options.stream).unwrap().location;
        assert!(matches!(location, crate::locate::HubLocation::Join(_)), "--listen of the file is not meant");
    }
    for typed in [["--source", "pattern"], ["--name", "door"]] {
        let typed = line(&typed);
        assert!(settings::command(command(), &typed).try_get_matches_from(typed).is_err());
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_without_the_value() {
    for (from, to, at, said) in [
        ("quality = 60", "quality = 'hunter2'", 10, "quality"),
        ("quality = 60", "quality = 101", 10, "quality: 101 is not in 1..=100"),
        ("quality = 60", "quality = 101.5", 10, "quality"),
        ("quality = 60", "qualty = 60", 10, "no such key in [camera.NAME]; there are source"),
        ("quality = 60", "max-viewers = 60", 10, "an option of [hub]"),
        ("quality = 60", "name = 'x'", 10, "stands in its heading"),
        ("quality = 60", "list = true", 10, "no such key"),
        ("max-viewers = 10", "max-viewers = 0", 4, "from 1 to"),
        ("max-viewers = 10", "fps = 3", 4, "an option of [camera.NAME]"),
        ("max-viewers = 10", "host = 'desk'", 3, "exclude each other"),
        ("max-viewers = 10", "tls-key = 'k'", 4, "tls-cert is missing beside it"),
        ("listen = \"127.0.0.1:0\"", "listen = 'hunter2'", 3, "IP:PORT"),
        ("skip-same = true", "skip-same = 1", 11, "true or false"),
        ("[camera.gate]", "[camera.'a/b']", 13, "letters, digits"),
        ("[camera.gate]", "[camer.gate]", 13, "neither [hub]"),
        ("[camera.gate]", "[access]", 13, "access = \"FILE\""),
        ("[camera.gate]", "[camera.gate", 13, ""),
        ("room = \"yard\"", "room = 'a b'", 14, "letters, digits"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let (line, why) = ConfigFile::parse(&GOOD.replace(from, to), command()).unwrap_err();
        assert!(line == at && why.contains(said) && !why.contains("hunter2"), "{to}: {line}: {why}");
    }
    assert!(ConfigFile::parse("", command()).unwrap_err().1.contains("no camera"));
    let many: String = (0..=MOST).map(|n| format!("[camera.c{n}]\n")).collect();
    assert!(ConfigFile::parse(&many, command()).is_err());
}

#[test]
fn a_file_that_cannot_be_read_is_wrong_usage_with_its_name() {
    let error = ConfigFile::read(Path::new("no-such-file.toml"), command()).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("no-such-file.toml"), "{error}");
}

/// The file that is printed of what these options come to.
fn printed(text: &str, typed: &[&str]) -> String {
    let file = ConfigFile::parse(text, command()).unwrap();
    let line = line(typed);
    let command = settings::command(command().mut_args(|arg| arg.env(None)), &line);
    let matches: Vec<_> = file.cameras().iter().map(|camera| file.matches(&command, camera, &line).unwrap()).collect();
    let options = matches.iter().map(|matches| Options::from_arg_matches(matches).unwrap());
    let streams: Vec<_> = options.map(|options| camera::stream_of(&options)).collect();
    let shown = streams.into_iter().zip(&matches);
    print_config::text(shown.map(|(stream, matches)| print_config::Shown { stream, matches, command: &command }))
}

#[test]
fn what_is_printed_is_read_again_and_means_the_same() {
    let once = printed(GOOD, &["--quality", "30"]);
    assert!(once.contains("[camera.door]\n") && once.contains("quality = 30\n") && once.contains("# "), "{once}");
    assert_eq!(printed(&once, &[]), once);
    let secret = GOOD.replace("\"pattern\"", "\"http://me:hunter2@cam/\"");
    let shown = printed(&secret, &[]);
    assert!(!shown.contains("hunter2") && shown.contains("# source = … is not shown"), "{shown}");
}

#[test]
fn the_example_of_the_documentation_is_a_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(path).unwrap();
    let examples: Vec<_> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        ConfigFile::parse(example, command()).unwrap();
    }
}

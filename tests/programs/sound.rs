//! Sound from a sender to a viewer, by files: nothing here needs a device.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use streamflow::internal::audio::wav::{Wav, head, of_sample};

use rustix::process::Signal;

use crate::running::*;
use crate::support::{limited, until};

const PITCH: f64 = 700.0;

/// A second of a tone at 16 kHz, as a file.
fn tone(path: &Path) {
    let samples = (0..16_000).map(|n| ((f64::from(n) / 16_000.0 * PITCH * TAU).sin() * 0.4) as f32);
    let bytes: Vec<u8> = head(16_000, 32_000).into_iter().chain(samples.flat_map(of_sample)).collect();
    fs::write(path, bytes).unwrap();
}

/// What is heard in a file: samples at 48 kHz.
fn samples(path: &Path) -> Vec<f32> {
    let wav = Wav::parse(fs::read(path).unwrap()).unwrap();
    assert_eq!((wav.format.rate, wav.format.channels), (48_000, 1));
    let mut samples = vec![0.0; wav.len()];
    wav.read(0, &mut samples);
    samples
}

/// How much of these samples is a tone of this pitch, from 0 to 1 (Goertzel's sum).
fn share(samples: &[f32], pitch: f64) -> f64 {
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sample, turn) = (f64::from(*sample), n as f64 / 48_000.0 * pitch * TAU);
        re += sample * turn.cos();
        im += sample * turn.sin();
        all += sample * sample;
    }
    2.0 * (re * re + im * im) / (all * samples.len() as f64).max(1e-9)
}

/// Parts of 100 ms with the tone in them, and those in which nothing is.
fn heard(samples: &[f32]) -> (usize, usize) {
    let loud = |part: &[f32]| part.iter().map(|sample| sample.abs()).fold(0.0, f32::max);
    let parts: Vec<&[f32]> = samples.chunks_exact(4800).collect();
    let tones = parts.iter().filter(|part| loud(part) > 0.1 && share(part, PITCH) > 0.8);
    (tones.count(), parts.iter().filter(|part| loud(part) < 0.01).count())
}

fn record(host: &str, to: &Path, more: &[&str]) -> Ended {
    let arguments = ["--headless", "--host", host, "--name", "talk", "--for", "4", "--record-audio"];
    let mut view = command(VIEW, arguments);
    view.arg(to).args(more);
    Running::start(view).end()
}

#[test]
fn the_sound_of_a_file_is_heard_at_its_pitch_and_at_a_true_rate_and_not_where_it_is_muted() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let folder = folder("sound");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("tone.wav");
        tone(&file);
        let mut send =
            command(SEND, ["--host", &host, "--name", "talk", "--source", "pattern", "--size", "160x120", "--audio"]);
        send.arg(&file);
        let _send = Running::start(send);

        let wav = folder.join("heard.wav");
        let viewed = record(&host, &wav, &[]);
        assert_eq!(viewed.code, Some(0), "{viewed:?}");
        let all = samples(&wav);
        // The file lasts as long as the program, which began a little before it counted.
        assert!((180_000..300_000).contains(&all.len()), "{}", all.len());
        let (tones, _) = heard(&all);
        assert!(tones >= 15, "{tones} tenths of a second of 4 s");
        assert!(share(&all, PITCH * 2.0) < 0.1);

        let muted = folder.join("muted.wav");
        let viewed = record(&host, &muted, &["--mute"]);
        assert_eq!(viewed.code, Some(0), "{viewed:?}");
        let all = samples(&muted);
        let (tones, silent) = heard(&all);
        assert!(tones == 0 && silent == all.len() / 4800, "{tones} {silent}");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn sound_that_is_sealed_is_heard_with_the_key_and_not_with_another() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let folder = folder("sound-sealed");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("tone.wav");
        tone(&file);
        let key = folder.join("key");
        fs::write(&key, "correct horse battery staple").unwrap();
        let mut send =
            command(SEND, ["--host", &host, "--name", "talk", "--source", "pattern", "--size", "160x120", "--audio"]);
        send.arg(&file).arg("--key-file").arg(&key);
        let _send = Running::start(send);
        let wav = folder.join("heard.wav");
        let viewed = record(&host, &wav, &["--json", "--key-file", key.to_str().unwrap()]);
        assert_eq!(viewed.code, Some(0), "{viewed:?}");
        let (tones, _) = heard(&samples(&wav));
        assert!(tones >= 12, "{tones} tenths of a second of 4 s");
        let last: serde_json::Value = serde_json::from_str(viewed.out.lines().last().unwrap()).unwrap();
        assert!(last["sound"]["broken"] == 0 && last["end_to_end"] == true, "{last}");
        fs::write(&key, "another horse battery staple").unwrap();
        let viewed = record(&host, &wav, &["--key-file", key.to_str().unwrap()]);
        assert_eq!((viewed.code, heard(&samples(&wav)).0), (Some(4), 0), "{viewed:?}");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn nothing_is_encoded_while_nobody_listens_and_the_json_tells_of_what_is_heard() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let mut send = Running::start(command(
            SEND,
            ["--host", &host, "--name", "talk", "--source", "pattern", "--size", "160x120", "--audio", "beep"],
        ));
        let looks = run(VIEW, &["--headless", "--host", &host, "--name", "talk", "--frames", "20", "--json"]);
        assert_eq!(looks.code, Some(0), "{looks:?}");
        assert!(!looks.out.contains("\"sound\""), "who wants none is told of none: {}", looks.out);
        let folder = folder("sound-json");
        fs::create_dir_all(&folder).unwrap();
        let viewed = record(&host, &folder.join("beep.wav"), &["--json"]);
        assert_eq!(viewed.code, Some(0), "{viewed:?}");
        let last: serde_json::Value = serde_json::from_str(viewed.out.lines().last().unwrap()).unwrap();
        let sound = &last["sound"];
        assert!(sound["received"].as_u64() > Some(10) && sound["broken"] == 0 && sound["muted"] == false, "{sound}");
        send.says("sound of the beep");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_sender_is_muted_from_afar_and_nobody_opens_its_microphone_who_may_not() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let there = ["--host", &host, "--name", "talk"];
        let sends = |more: &[&str]| {
            let arguments = ["--source", "pattern", "--size", "160x120", "--audio", "beep"];
            let mut send = Running::start(command(SEND, arguments.iter().chain(&there).chain(more)));
            send.says("publishes main/talk");
            send
        };
        let sets = |control: &str| run(VIEW, &[&there[..], &["--control", control]].concat());
        let is_muted = || {
            let told = run(VIEW, &[&there[..], &["--list-controls", "--json"]].concat());
            let list: serde_json::Value = serde_json::from_str(&told.out).unwrap();
            assert_eq!(list[0]["name"], "mute", "{list}");
            (list[0]["value"] == 1, list[0]["read_only"] == true)
        };
        let folder = folder("muted-from-afar");
        fs::create_dir_all(&folder).unwrap();
        let hears = || {
            let viewed = record(&host, &folder.join("beep.wav"), &["--json"]);
            assert_eq!(viewed.code, Some(0), "{viewed:?}");
            let last: serde_json::Value = serde_json::from_str(viewed.out.lines().last().unwrap()).unwrap();
            (last["sound"]["received"].as_u64().unwrap() > 10, last["sound"]["muted_there"] == true)
        };
        let mut send = sends(&[]);
        assert_eq!(is_muted(), (false, false));
        let muted = sets("mute=1");
        assert_eq!(muted.code, Some(0), "{muted:?}");
        send.says("sound was switched off from afar");
        until("it is told", || is_muted() == (true, true));
        assert_eq!(hears(), (false, true));
        for (control, code) in [("mute=0", 4), ("mute=default", 4), ("mute=2", 2)] {
            let refused = sets(control);
            assert_eq!(refused.code, Some(code), "{control}: {refused:?}");
        }
        assert!(sets("mute=0").err.contains("--remote-unmute"));
        // Those of the source are set as before, and what is refused sets nothing.
        assert_eq!(sets("brightness=100").code, Some(0));
        let both = run(VIEW, &[&there[..], &["--control", "brightness=9", "--control", "mute=0"]].concat());
        assert_eq!(both.code, Some(4), "{both:?}");
        assert!(is_muted().0);
        // Its user is there.
        send.signal(Signal::USR1);
        send.says("sound is on now");
        // A hub asks for the list once a second at most.
        until("it is told", || is_muted() == (false, false));
        assert_eq!(hears(), (true, false));
        drop(send);

        let mut send = sends(&["--mute", "--remote-unmute", "--replace"]);
        until("it is the one that is asked", || is_muted() == (true, false));
        let opened = sets("mute=0");
        assert_eq!(opened.code, Some(0), "{opened:?}");
        send.says("sound was switched on from afar");
        assert_eq!(hears(), (true, false));
        send.signal(Signal::USR1);
        send.says("sound is off now");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    limited(|| {
        for (program, arguments, says, code) in [
            (SEND, &["--mute"][..], "--mute needs sound", 2),
            (SEND, &["--remote-unmute"], "--remote-unmute needs sound", 2),
            (SEND, &["--audio", "nowhere.wav"], "nowhere.wav", 3),
            (SEND, &["--audio", "no such microphone"], "--list-audio shows what there is", 3),
            (VIEW, &["--record-audio", "a.wav"], "--headless", 2),
            (VIEW, &["--headless", "--record-audio", "a.wav", "--audio", "auto"], "--audio", 2),
            (VIEW, &["--headless", "--record-audio", "/nowhere/a.wav"], "/nowhere/a.wav", 1),
            (VIEW, &["--audio", "no such device", "--headless"], "no such device", 3),
        ] {
            let ended = run(program, arguments);
            assert!(ended.code == Some(code) && ended.err.contains(says), "{arguments:?}: {ended:?}");
        }
        for program in [SEND, VIEW] {
            let listed = run(program, &["--list-audio"]);
            assert_eq!(listed.code, Some(0), "{listed:?}");
            assert!(!listed.err.contains("ALSA"), "{listed:?}");
        }
    });
}

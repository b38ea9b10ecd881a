//! Streams that are sealed end to end, as a user of the programs meets them; and what is in the memory of a hub meanwhile.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use streamflow::internal::frame::{Frame, PixelFormat, Range};
use streamflow::internal::locate::HubLocation;
use streamflow::internal::publisher::{Publisher, PublisherConfig};
use streamflow::internal::source::{Next, from_fn};
use streamflow::internal::viewer::{Viewer, ViewerConfig};

use crate::running::*;
use crate::support::{SIZE, limited, next_picture, publisher_config, until};

#[test]
fn a_key_comes_from_a_file_the_environment_or_standard_input_and_without_it_there_is_no_picture() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let folder = folder("sealed");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("key");
        fs::write(&file, "correct horse battery staple\n").unwrap();
        let file = file.to_str().unwrap();
        let sender =
            ["--source", "pattern", "--size", "320x240", "--host", &host, "--name", "door", "--key-file", file];
        let _sender = Running::start(command(SEND, sender));
        let view = ["--headless", "--frames", "3", "--host", &host, "--name", "door"];
        let with_file = run(VIEW, &[&view[..], &["--key-file", file]].concat());
        assert_eq!(with_file.code, Some(0), "{with_file:?}");
        let mut by_environment = command(VIEW, view);
        by_environment.env("STREAMFLOW_KEY", "correct horse battery staple");
        let by_environment = Running::start(by_environment).end();
        assert_eq!(by_environment.code, Some(0), "{by_environment:?}");
        let mut by_input = command(VIEW, [&view[..], &["--key-file", "-"]].concat());
        by_input.stdin(Stdio::piped());
        let mut by_input = Running::start(by_input);
        by_input.child.stdin.take().unwrap().write_all(b"key=correct horse battery staple").unwrap();
        let by_input = by_input.end();
        assert_eq!(by_input.code, Some(0), "{by_input:?}");

        let without = run(VIEW, &view);
        assert_eq!(without.code, Some(4), "{without:?}");
        assert!(without.err.contains("give its key with --key-file"), "{without:?}");
        let mut another = command(VIEW, view);
        another.env("STREAMFLOW_KEY", "AAECAwQFBgcICQoLDA0ODw");
        let another = Running::start(another).end();
        assert_eq!(another.code, Some(4), "{another:?}");
        assert!(another.err.contains("do not open with this key"), "{another:?}");
        let none = run(VIEW, &[&view[..], &["--key-file", folder.join("none").to_str().unwrap()]].concat());
        assert_eq!(none.code, Some(2), "{none:?}");
        fs::remove_dir_all(folder).unwrap();
    });
}

#[test]
fn a_key_is_made_for_its_user_alone_and_a_link_with_it_shows_what_is_sent_with_it() {
    limited(|| {
        let folder = folder("new-key");
        let (_hub, host) = asking_hub(&folder);
        let file = folder.join("door.key");
        let file = file.to_str().unwrap();
        let made = run(HUB, &["key", "new", file]);
        assert_eq!(made.code, Some(0), "{made:?}");
        let key = fs::read_to_string(file).unwrap();
        assert!(
            key.trim_end().len() == 22 && made.out.contains("--key-file") && !made.out.contains(key.trim()),
            "{made:?}"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let again = run(HUB, &["key", "new", file]);
        assert!(again.code == Some(2) && again.err.contains("is there already"), "{again:?}");
        assert_eq!(fs::read_to_string(file).unwrap(), key, "what was there stays");
        let printed = [(); 2].map(|()| run(HUB, &["key", "new"]).out);
        assert!(printed.iter().all(|key| key.trim_end().len() == 22) && printed[0] != printed[1], "{printed:?}");

        let publish = link(&folder, &host, &["--publish", "main/door", "--key-file", file]);
        let to_view = link(&folder, &host, &["--view", "main/door", "--key-file", file]);
        assert!(to_view.ends_with(&format!("&key={}", key.trim())), "{to_view}");
        let (sender, viewer) = (folder.join("sender"), folder.join("viewer"));
        let mut send = command(SEND, ["--source", "pattern", "--size", "320x240", "--join", &publish]);
        send.env("STREAMFLOW_STATE", &sender);
        let _sender = Running::start(send);
        let view = |link: &str| {
            let mut view = command(VIEW, ["--headless", "--frames", "3", "--join", link]);
            view.env("STREAMFLOW_STATE", &viewer);
            Running::start(view).end()
        };
        let seen = view(&to_view);
        assert_eq!(seen.code, Some(0), "{seen:?}");
        let without = view(&link(&folder, &host, &["--view", "main/door"]));
        assert!(without.code == Some(4) && without.err.contains("give its key with --key-file"), "{without:?}");
        let of_room = run(HUB, &["link", "--view", "main", "--key-file", file]);
        assert!(of_room.code == Some(2) && of_room.err.contains("one stream"), "{of_room:?}");
        fs::remove_dir_all(folder).unwrap();
    });
}

/// A source of one and the same picture, which looks like nothing else, with metadata.
fn noise() -> impl streamflow::Source {
    let mut random = fastrand::Rng::with_seed(7);
    let pixels: Vec<u8> = (0..SIZE.area()).map(|_| random.u8(..)).collect();
    from_fn(move |frame: &mut Frame| {
        frame.format = PixelFormat::Gray;
        frame.size = SIZE;
        frame.range = Range::Full;
        frame.metadata = Some(r#"{"plate":"nobody-else-has-this"}"#.into());
        frame.data.clear();
        frame.data.extend_from_slice(&pixels);
        Ok(Next::Frame)
    })
}

/// Which of these are in the memory of a program.
#[cfg(target_os = "linux")]
fn in_memory(of: &Running, what: &[&[u8]]) -> Vec<bool> {
    use std::os::unix::fs::FileExt;
    let process = format!("/proc/{}", of.child.id());
    let maps = fs::read_to_string(format!("{process}/maps")).unwrap();
    let memory = fs::File::open(format!("{process}/mem")).unwrap();
    let mut found = vec![false; what.len()];
    let mut read = 0;
    for line in maps.lines().filter(|line| !line.ends_with("[vvar]") && !line.contains("[vsyscall]")) {
        let mut fields = line.split_whitespace();
        let (from, to) = fields.next().unwrap().split_once('-').unwrap();
        if !fields.next().unwrap().starts_with('r') {
            continue;
        }
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        // Some pages cannot be read by anybody.
        let Ok(()) = memory.read_exact_at(&mut bytes, from) else { continue };
        read += bytes.len();
        for (found, what) in found.iter_mut().zip(what) {
            *found |= memchr::memmem::find(&bytes, what).is_some();
        }
    }
    assert!(read > 1 << 20, "{read} bytes of memory");
    found
}

#[cfg(target_os = "linux")]
#[test]
fn in_the_memory_of_a_hub_that_passes_a_sealed_stream_on_is_neither_key_nor_picture_nor_metadata() {
    limited(|| {
        let text = "c2VjcmV0IG9mIHRoZSB0ZQ";
        let key = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        for is_sealed in [false, true] {
            let (hub, host) = hub(&[]);
            let location = HubLocation::Join(host.parse().unwrap());
            let key_text = is_sealed.then(|| text.into());
            let config = PublisherConfig { key: key_text.clone(), ..publisher_config(location.clone(), "door") };
            let publisher = Publisher::start(config, Box::new(noise())).unwrap();
            let config = ViewerConfig { name: Some("door".into()), key: key_text, location, ..ViewerConfig::default() };
            let viewer = Viewer::start(config).unwrap();
            let picture = next_picture(&viewer);
            until("many pictures", || {
                next_picture(&viewer);
                viewer.report().received > 50
            });
            let middle = picture.data.len() / 2;
            let piece = &picture.data[middle..middle + 24];
            let found = in_memory(&hub, &[piece, b"nobody-else-has-this", &key, text.as_bytes()]);
            // That a stream without a seal is found shows that the search finds what is there.
            assert_eq!(found, [!is_sealed, !is_sealed, false, false], "sealed: {is_sealed}");
            drop(publisher);
        }
    });
}

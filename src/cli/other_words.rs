//! What options of other programs for cameras, and of players, are called here: said to who types them.

/// What is typed, and the option here.
type Words = &'static [(&'static [&'static str], &'static str)];

const OF_SEND: Words = &[
    (&["--device", "--camera", "--input", "-d", "-i"], "--source"),
    (&["--resolution", "--width", "--height", "-r"], "--size WIDTHxHEIGHT"),
    (&["--desired-fps", "--framerate", "--rate", "-f"], "--fps"),
    (&["--drop-same-frames", "-e"], "--skip-same"),
    (&["--hflip", "--flip-horizontal", "--hf"], "--mirror"),
    (&["--vflip", "--flip-vertical", "--vf"], "--flip"),
    (&["--rotation", "--rot"], "--rotate"),
    (&["--timestamp"], "--stamp '%F %T'"),
    (
        &["--brightness", "--contrast", "--saturation", "--hue", "--gamma", "--sharpness", "--gain"],
        "--control NAME=VALUE",
    ),
    (&["--exposure", "--focus", "--white-balance", "--zoom"], "--control NAME=VALUE, with a name of --list-controls"),
];

const OF_VIEW: Words = &[
    (&["--url", "--input", "-i"], "--host HOST, or --join LINK"),
    (&["--fs", "-f", "-fs"], "--fullscreen"),
    (&["--vf", "--video-rotate", "--rotation"], "--rotate"),
    (&["--hflip", "--flip-horizontal"], "--mirror"),
    (&["--vflip", "--flip-vertical"], "--flip"),
    (&["--duration", "--timeout", "-t"], "--for SECONDS"),
    (&["--output", "-o"], "--headless --save DIR"),
];

const OF_ALL: Words = &[
    (&["--bind", "--address", "--listen-address", "-l"], "--listen IP"),
    (&["-p"], "--port"),
    (&["--cors"], "--allow-origin"),
    (&["--user", "--passwd", "--password", "--auth", "-c"], "--access FILE, or a link of 'streamflow-hub link'"),
];

/// What is said to who typed this for a program.
pub(super) fn tip(program: &str, typed: &str) -> Option<String> {
    let own = match program {
        "streamflow-send" => OF_SEND,
        "streamflow-view" => OF_VIEW,
        _ => &[],
    };
    let here = own.iter().chain(OF_ALL).find(|(words, _)| words.contains(&typed)).map(|(_, here)| *here);
    let here = here.or(match program {
        _ if typed.starts_with('-') => None,
        "streamflow-send" => Some("--source, and the stream's name --name"),
        "streamflow-view" => Some("--host for the hub, --name for the stream, --join for a link"),
        _ => None,
    });
    here.map(|here| format!("here it is {here}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knows_another_program_is_told_the_option_of_this_one() {
        for (program, typed, here) in [
            ("streamflow-send", "--device", Some("--source")),
            ("streamflow-send", "-r", Some("--size")),
            ("streamflow-send", "--passwd", Some("--access")),
            ("streamflow-send", "film.mp4", Some("--source")),
            ("streamflow-view", "-f", Some("--fullscreen")),
            ("streamflow-view", "door", Some("--name")),
            ("streamflow-hub", "--bind", Some("--listen")),
            ("streamflow-hub", "door", None),
            ("streamflow-send", "--no-such-thing", None),
        ] {
            let tip = tip(program, typed);
            assert_eq!(tip.is_some(), here.is_some(), "{program} {typed}: {tip:?}");
            assert!(tip.is_none_or(|tip| tip.contains(here.unwrap_or_default())), "{program} {typed}");
        }
    }
}

//! Even motion for a known delay, through the programs.

use serde_json::Value;

use crate::running::*;
use crate::support::limited;

fn last_line(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(ended.out.lines().last().unwrap()).unwrap()
}

#[test]
fn pictures_that_are_held_back_have_their_true_age_and_the_budget_says_why() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let _sender = sender(&host, "door");
        let arguments = ["--headless", "--json", "--host", &host, "--name", "door", "--for", "4"];
        let plain = last_line(&run(VIEW, &arguments));
        assert!(plain["budget_ms"].get("smooth").is_none(), "nothing is held back that nobody asked for: {plain}");
        for by_environment in [false, true] {
            let mut view = command(VIEW, arguments);
            match by_environment {
                false => view.args(["--smooth", "300"]),
                true => view.env("STREAMFLOW_VIEW_SMOOTH", "300"),
            };
            let held = last_line(&Running::start(view).end());
            // None is shown before it is due, so these hold on any machine.
            assert!(held["budget_ms"]["smooth"].as_f64() > Some(0.0), "{held}");
            assert!(held["age_ms"]["p50"].as_f64() > Some(290.0), "{held}");
            assert!(held["picture_age_ms"].as_f64() > Some(290.0), "{held}");
            assert!(held["state"] == "live" || held["state"] == "late", "{held}");
            assert_ne!(held["limit"], "decoder", "what is held back on purpose is no decoder's fault: {held}");
        }
    });
}

#[test]
fn every_way_of_viewing_holds_pictures_back_and_what_makes_no_sense_is_refused() {
    limited(|| {
        let (_hub, host) = hub(&[]);
        let _sender = sender(&host, "door");
        let named = ["--host", &host, "--name", "door", "--frames", "3", "--smooth", "100"];
        for more in [&["--pipe", "raw"][..], &["--headless"], &["--headless", "--name", "main/other"]] {
            let mut view = command(VIEW, named.iter().chain(more));
            view.stdout(std::process::Stdio::null());
            assert_eq!(view.status().unwrap().code(), Some(0), "{more:?}");
        }
        let says = "write milliseconds from 1 to 1000";
        for (arguments, says) in [
            (&["--smooth", "0"][..], says),
            (&["--smooth", "1001"], says),
            (&["--smooth", "soon"], says),
            (&["--smooth", "100", "--list"], "cannot be used with"),
            (&["--smooth", "100", "--control", "gain=1"], "cannot be used with"),
            (&["--smooth", "100", "--list-controls"], "cannot be used with"),
        ] {
            let ended = run(VIEW, arguments);
            assert!(ended.code == Some(2) && ended.err.contains(says), "{arguments:?}: {ended:?}");
        }
    });
}

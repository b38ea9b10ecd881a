//! The quality-addressed camera.

use tungstenite::Message;

use crate::support::http::get;
use crate::support::{at, fine_source, hub, limited, publisher, until};
use crate::{Socket, next, open};

/// The beginning of the usual table for luminance, in the order in which it is written (ITU-T T.81, Annex K.1).
const USUAL: [u32; 16] = [16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40];

/// The quality that a picture was encoded at, from its first quantisation table: libjpeg's scale, on which 50 is the usual
/// table itself.
fn quality_of(jpeg: &[u8]) -> u32 {
    let at = jpeg.windows(2).position(|w| w == [0xff, 0xdb]).unwrap();
    let table = &jpeg[at + 5..at + 5 + USUAL.len()];
    let scaled = |quality: u32| {
        let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
        USUAL.map(|n| u8::try_from(((n * scale + 50) / 100).clamp(1, 255)).unwrap())
    };
    (1..=100).find(|q| scaled(*q) == table).unwrap_or_else(|| panic!("no quality has {table:?}"))
}

#[track_caller]
fn next_quality(socket: &mut Socket) -> u32 {
    let Message::Binary(picture) = next(socket) else { panic!("not binary") };
    assert!(picture.starts_with(&[0xff, 0xd8]) && picture.ends_with(&[0xff, 0xd9]));
    quality_of(&picture)
}

#[test]
fn pictures_have_the_quality_of_the_path_and_nobody_elses_changes() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        let mut sockets = Vec::new();
        for quality in [40, 80, 95, 30] {
            let mut socket = open(hub.address(), &format!("/websocket/{quality}"));
            assert_eq!(next_quality(&mut socket), quality, "the first, though others were there");
            sockets.push((quality, socket));
            for (quality, socket) in &mut sockets {
                for _ in 0..3 {
                    assert_eq!(next_quality(socket), *quality);
                }
            }
        }
        // What viewers were given is told ten times a second.
        until("only what somebody asked for is encoded", || {
            let of_viewers = get(hub.address(), "/api/streams/main/door").json();
            of_viewers["rungs"].as_array().unwrap().len() == 4
        });
        // A client changes its quality by coming again.
        sockets.truncate(1);
        let mut again = open(hub.address(), "/websocket/45");
        assert_eq!(next_quality(&mut again), 45);
        assert_eq!(next_quality(&mut sockets[0].1), 40);
    });
}

#[test]
fn of_more_than_four_qualities_the_best_four_are_encoded_and_the_others_get_the_nearest_of_these() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        let asked = [30, 45, 60, 75, 90, 95];
        let mut sockets: Vec<_> = asked.iter().map(|q| open(hub.address(), &format!("/websocket/{q}"))).collect();
        let come = |expected: &[u32], sockets: &mut Vec<Socket>| {
            until("the best four", || sockets.iter_mut().map(next_quality).collect::<Vec<_>>() == expected);
        };
        come(&[60, 60, 60, 75, 90, 95], &mut sockets);
        sockets.pop();
        come(&[45, 45, 60, 75, 90], &mut sockets);
    });
}

#[test]
fn a_quality_that_is_not_served_is_closed_with_1003_and_the_reason() {
    limited(|| {
        let hub = hub();
        let _publisher = publisher(at(&hub), "door", fine_source());
        for wrong in ["29", "96", "0", "x", "-1", "30.5"] {
            let Message::Close(Some(close)) = open(hub.address(), &format!("/websocket/{wrong}")).read().unwrap()
            else {
                panic!("not closed")
            };
            assert_eq!(u16::from(close.code), 1003);
            assert!(close.reason.contains("30 to 95"), "{}", close.reason);
        }
    });
}

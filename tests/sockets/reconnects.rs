//! Whatever goes, the others stay, say why there is no picture, and go on when it is back.

use std::net::SocketAddr;
use std::time::Duration;

use streamflow::Error;
use streamflow::internal::hub::{Hub, HubConfig};
use streamflow::internal::locate::HubLocation;
use streamflow::internal::net::address::HubAddress;
use streamflow::internal::stats::State;
use streamflow::internal::viewer::{Viewer, ViewerConfig};

use crate::support::{at, fine_source, hub, limited, next_picture, publisher, until, viewer};

/// A hub at the address that another one has just left.
fn hub_again(address: SocketAddr) -> Hub {
    let mut hub = None;
    until("the port is free", || {
        hub = Hub::start(HubConfig { listen: address, ..HubConfig::default() }).ok();
        hub.is_some()
    });
    hub.unwrap()
}

#[test]
fn a_hub_may_die_and_come_back_under_both_ends() {
    limited(|| {
        let hub = hub();
        let address = hub.address();
        let publisher = publisher(at(&hub), "door", fine_source());
        let viewer = viewer(at(&hub), "door");
        next_picture(&viewer);
        drop(hub);
        until("both notice", || viewer.report().state == State::Connecting && !publisher.report().connected);
        assert_ne!(viewer.report().detail, "");
        let hub = hub_again(address);
        until("both are back", || hub.counts() == (1, 1));
        // What was decoded before the end may still be there.
        let before = viewer.report().received;
        until("new pictures come", || {
            viewer.next(Duration::from_millis(50)).is_some() && viewer.report().received > before
        });
        assert_eq!(viewer.report().state, State::Live);
        assert!(viewer.report().reconnects >= 1);
    });
}

#[test]
fn both_ends_may_come_before_their_hub() {
    limited(|| {
        let (address, location) = {
            let hub = hub();
            (hub.address(), at(&hub))
        };
        let viewer = viewer(location.clone(), "door");
        let _publisher = publisher(location, "door", fine_source());
        until("the hub is missed", || viewer.report().detail.contains("next try in"));
        let _hub = hub_again(address);
        next_picture(&viewer);
    });
}

#[test]
fn a_publisher_may_go_and_come_back() {
    limited(|| {
        let hub = hub();
        let viewer = viewer(at(&hub), "door");
        let first = publisher(at(&hub), "door", fine_source());
        next_picture(&viewer);
        drop(first);
        until("the viewer is told", || viewer.report().state == State::Lost);
        assert!(viewer.report().detail.starts_with("publisher gone"), "{}", viewer.report().detail);
        let _second = publisher(at(&hub), "door", fine_source());
        until("it is live again", || viewer.report().state == State::Live);
        let before = viewer.report().received;
        until("new pictures come", || viewer.report().received > before);
        assert_eq!(viewer.report().reconnects, 0, "the viewer's own connection held");
    });
}

#[test]
fn a_limited_number_of_tries_ends_with_unreachable() {
    limited(|| {
        // Port 1 is nobody's (tcpmux, RFC 1078, long gone).
        let location = HubLocation::Join(HubAddress::local(1));
        let config = ViewerConfig { location, retries: Some(1), ..ViewerConfig::default() };
        let viewer = Viewer::start(config).unwrap();
        until("it gives up", || viewer.over().is_some());
        assert!(matches!(viewer.over(), Some(Error::Unreachable(_))), "{:?}", viewer.over());
    });
}

#[test]
fn two_programs_share_the_hub_that_the_first_one_hosts() {
    limited(|| {
        let port = hub().address().port();
        let config = HubConfig { listen: SocketAddr::from(([127, 0, 0, 1], port)), ..HubConfig::default() };
        let publisher = publisher(HubLocation::Auto(config.clone()), "door", fine_source());
        let viewer = viewer(HubLocation::Auto(config.clone()), "door");
        next_picture(&viewer);
        // Whichever hosts it: when the publisher goes, the viewer hosts the next, and a new publisher finds it.
        drop(publisher);
        until("the viewer notices", || viewer.report().state != State::Live);
        let _again = self::publisher(HubLocation::Auto(config), "door", fine_source());
        until("pictures are back", || viewer.report().state == State::Live);
        next_picture(&viewer);
    });
}

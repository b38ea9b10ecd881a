//! What a proxy that is believed stands between.

use super::*;

#[test]
fn whoever_comes_by_a_proxy_is_named_by_its_own_address_and_gives_away_links_that_lead_there() {
    limited(|| {
        let asking = Asking::with("by-proxy", |config| config.behind_proxy = vec!["127.0.0.1".into()]);
        let by_proxy = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
        let mut camera = Peer::join(asking.hub.address(), with(publishes("door"), PUBLISH));
        camera.picture(1, &jpeg(9));
        let mut stream = Http::connect(asking.hub.address());
        stream
            .send(format!("GET /stream/main/door HTTP/1.1\r\nHost: hub\r\n{by_proxy}{}\r\n", bearer(VIEW)).as_bytes());
        assert_eq!(stream.head().status, 200);
        until("it is told of", || {
            let told = asking.with_token("/api/streams/main/door", ADMIN).json();
            let viewer = told["per_viewer"][0]["address"].as_str().unwrap_or_default().to_owned();
            viewer.starts_with("203.0.113.9:")
        });
        let share = |hub: &Hub, fields: &str, what: &str| {
            let path = format!("/api/links?view={what}");
            let made = Http::connect(hub.address()).ask("POST", &path, &format!("{fields}{}", bearer(OPERATE)), b"");
            made.json()["join"].as_str().unwrap().to_owned()
        };
        let link = share(&asking.hub, by_proxy, "main/door");
        assert!(link.starts_with("https://hub/#/main/door&token=") && !link.contains("pin="), "{link}");
        let link = share(&asking.hub, by_proxy, "main");
        assert!(link.starts_with("https://hub/#/main&token="), "{link}");
        let other = Asking::new("no-believed-proxy");
        let link = share(&other.hub, by_proxy, "main/door");
        assert!(link.starts_with("sf://hub/main/door#pin="), "{link}");
    });
}

#[test]
fn a_hub_of_its_own_machine_says_to_others_behind_a_proxy_that_it_is_that() {
    limited(|| {
        let hub = hub_with(|config| config.behind_proxy = vec!["127.0.0.1".into()]);
        let by_proxy = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
        let refused = Http::connect(hub.address()).ask("GET", "/api/streams", by_proxy, b"");
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("nobody but its own machine"), "{}", refused.text());
        assert_eq!(Http::connect(hub.address()).ask("GET", "/api/streams", "", b"").status, 200);
    });
}

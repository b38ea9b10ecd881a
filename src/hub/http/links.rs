//! `POST /api/links`: a link that lets somebody else do a part of what whoever asks may do, and no longer.

use fast_qr::convert::svg::SvgBuilder;
use serde_json::json;

use super::{Answer, Exchange, Outcome};
use crate::access::link::seconds_of;
use crate::access::permissions::{AccessRole, Permission, Scope};
use crate::hub::links::{LinkRequest, Reached, qr_code};
use crate::net::tls::identity::Identity;

/// How long a link holds that says nothing else, and at most, in seconds.
const USUAL: u64 = 2 * 3600;
const LONGEST: u64 = 366 * 24 * 3600;

pub(in crate::hub) fn serve(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("POST")?;
    let wrong = |why: String| Answer::text(400, &why);
    let (shared, who) = (exchange.shared, exchange.credentials());
    if !shared.access.policy().asks() {
        return Err(wrong("this hub asks nobody for a link: its address is enough".into()));
    }
    let scope = |name: &str| exchange.parameter(name).map(|text| text.parse::<Scope>()).transpose().map_err(wrong);
    let (view, publish) = (scope("view")?, scope("publish")?);
    if view.is_none() && publish.is_none() {
        return Err(wrong("say what the link is for: view=ROOM/NAME, publish=ROOM/NAME, or both".into()));
    }
    for (role, scope) in [(AccessRole::View, &view), (AccessRole::Publish, &publish)] {
        if let Some(scope) = scope {
            shared.access.share(&who, Permission::of([role], scope.clone()))?;
        }
    }
    let Some(by) = who.holder.name() else {
        return Err(Answer::text(
            403,
            "links are given away by who has a secret, or a link that is neither for one session nor given away by a link",
        ));
    };
    let holds = exchange
        .parameter("for")
        .map(|text| seconds_of(&text))
        .transpose()
        .map_err(wrong)?
        .unwrap_or(USUAL)
        .min(LONGEST);
    let now = shared.access.time();
    if !shared.access.policy().is_clock_set(now) {
        return Err(Answer::text(
            503,
            "the clock of this hub is not set, and a link would end by it: set the clock first",
        ));
    }
    // No longer than the right of who gives it.
    let ends = who.holder.ends().unwrap_or(u64::MAX).min(now.saturating_add(holds));
    let once = matches!(exchange.parameter("once").as_deref(), Some("1" | "on" | "true"));
    let request = LinkRequest {
        view: view.into_iter().collect(),
        publish: publish.into_iter().collect(),
        roles: Vec::new(),
        ends: Some(ends),
        once,
        by: Some(by),
    };
    let own = |identity: &&std::sync::Arc<Identity>| identity.folder().is_some();
    let at = Reached {
        host: exchange.host_as_written().unwrap_or_default(),
        pin: shared.identity.as_ref().filter(own).map(|identity| identity.fingerprint()),
        encrypted: exchange.encrypted,
        by_proxy: exchange.by_proxy,
    };
    let policy = shared.access.policy();
    let made = request.make(policy.keys(), now, &at).map_err(|error| Answer::text(500, &error.to_string()))?;
    log::info!("{}: made the link {}, which holds for {} s", exchange.address, made.id, ends.saturating_sub(now));
    let qr = qr_code(&made.url).map(|code| SvgBuilder::default().to_str(&code));
    let made = json!({ "url": made.url, "join": made.join, "id": made.id, "ends": ends, "once": once, "qr": qr });
    Ok(Answer::json(200, &made).into())
}

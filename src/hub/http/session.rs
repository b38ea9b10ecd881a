//! `/api/session`: what whoever asks may do, and a browser's session. A page shows its link or secret once, in `Authorization`, and
//! gets a cookie that no script can read.

use serde_json::{Value, json};

use super::credentials::{SECURE, cookie_name};
use super::{Answer, Exchange, Outcome};
use crate::access::policy::Holder;
use crate::hub::authenticator::SessionName;

pub(in crate::hub) fn serve(exchange: &Exchange<'_>) -> Outcome {
    exchange.takes("GET, HEAD, POST, DELETE")?;
    match exchange.request.method.as_str() {
        "POST" => begin(exchange),
        "DELETE" => {
            if let Some(cookie) = &exchange.shown.cookie {
                exchange.shared.authenticator.end_session(cookie.expose());
            }
            let name = cookie_name(exchange.request);
            let gone = format!(
                "Set-Cookie: {name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict\r\n\
                 Set-Cookie: {SECURE}{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure\r\n"
            );
            Ok(Answer::json(200, &json!({})).with(gone).into())
        }
        _ => Ok(Answer::json(200, &summary(exchange)).into()),
    }
}

fn begin(exchange: &Exchange<'_>) -> Outcome {
    let who = exchange.credentials();
    let shared = exchange.shared;
    if !shared.access.policy().asks() {
        return Ok(Answer::json(200, &summary(exchange)).into());
    }
    if !exchange.shown.by_own_page {
        return Err(Answer::text(
            400,
            "the hub's own page shows the link's token or the secret: Authorization: Bearer …",
        ));
    }
    // A link that has ended is told of as such.
    shared.access.holds(&who)?;
    // It was made for this session, or is one that this hub has given.
    let cookie = exchange.shown.cookie.as_ref().ok_or_else(|| Answer::text(500, "the system has no random numbers"))?;
    shared.authenticator.use_link(&who.holder, SessionName::of_cookie(cookie.expose()), shared.access.time());
    shared.authenticator.begin_session(who.holder.clone(), who.address, cookie.expose());
    let (prefix, secure) = if exchange.encrypted { (SECURE, "; Secure") } else { ("", "") };
    let field = format!(
        "Set-Cookie: {prefix}{}={}; Path=/; HttpOnly; SameSite=Strict{secure}\r\n",
        cookie_name(exchange.request),
        cookie.expose()
    );
    Ok(Answer::json(200, &summary(exchange)).with(field).into())
}

/// What whoever asks may do here.
fn summary(exchange: &Exchange<'_>) -> Value {
    let who = exchange.credentials();
    let access = &exchange.shared.access;
    let policy = access.policy();
    let (permissions, ends) = policy.summary(&who, access.time());
    let permissions: Vec<_> = permissions
        .iter()
        .map(|permission| {
            let streams: Vec<_> = permission.scopes.iter().map(ToString::to_string).collect();
            json!({ "roles": permission.roles.names().collect::<Vec<_>>(), "streams": streams })
        })
        .collect();
    let why = access.holds(&who).err().filter(|_| who.holder != Holder::Nobody).map(|denied| denied.to_string());
    json!({ "asks": policy.asks(), "encrypted": exchange.encrypted, "permissions": permissions, "ends": ends, "why": why })
}

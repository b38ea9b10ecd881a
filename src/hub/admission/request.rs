//! A request whose head is here, and who makes it.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::access::Credentials;
use crate::access::policy::Holder;
use crate::hub::Shared;
use crate::hub::authenticator::{Identified, SessionName};
use crate::hub::http::credentials::{self, Shown};
use crate::hub::http::{Answer, Encoded, Exchange};
use crate::hub::memory::Account;
use crate::net::http::Request;
use crate::text::Untrusted;
use crate::time::Micros;
use crate::wire::body::length_of;

/// Who says it.
pub(super) struct ClientContext<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) address: SocketAddr,
    pub(super) account: &'a Account,
    /// What it says is encrypted on its way.
    pub(super) encrypted: bool,
}

/// A request whose head is here.
pub(super) struct PendingRequest {
    pub(super) request: Request,
    pub(super) began: Micros,
    shown: Shown,
    pub(super) who: Credentials,
    /// What it shows has been looked at.
    identified: bool,
}

impl PendingRequest {
    /// A request whose head is here, from whoever a trusted proxy says.
    pub(super) fn new(mut request: Request, asker: &ClientContext<'_>, began: Micros) -> Self {
        let shown = credentials::take(&mut request);
        let mut who = Credentials::of_nobody(asker.address.ip(), asker.encrypted);
        if asker.shared.is_proxy(who.address) {
            let (address, encrypted) = credentials::behind_proxy(&request, who.address, |ip| asker.shared.is_proxy(ip));
            (who.address, who.encrypted) = (address, encrypted);
        }
        Self { request, began, shown, who, identified: false }
    }

    /// Who asks, as people are told: behind a trusted proxy, whoever that says.
    pub(super) fn client(&self, asker: &ClientContext<'_>) -> SocketAddr {
        SocketAddr::new(self.who.address, asker.address.port())
    }

    pub(super) fn exchange<'a>(&'a self, asker: &ClientContext<'a>, body: &'a [u8]) -> Exchange<'a> {
        Exchange {
            request: &self.request,
            shared: asker.shared,
            address: self.client(asker),
            encrypted: self.who.encrypted,
            by_proxy: asker.shared.is_proxy(asker.address.ip()),
            shown: &self.shown,
            who: &self.who,
            began: self.began,
            body,
        }
    }

    /// Finds out who asks; false: that takes a while.
    pub(super) fn identify(&mut self, asker: &ClientContext<'_>) -> bool {
        if self.identified || !asker.shared.access.policy().asks() {
            return true;
        }
        self.who.elsewhere = self.exchange(asker, &[]).is_elsewhere();
        let authenticator = &asker.shared.authenticator;
        if self.request.path == "/api/session" && self.request.method == "POST" {
            // One that somebody else has chosen is not taken over.
            let given = self.shown.cookie.take().filter(|cookie| authenticator.has_given(cookie.expose()));
            self.shown.cookie = given.or_else(|| authenticator.new_cookie());
        }
        let cookie = self.shown.cookie.as_ref().map(|cookie| cookie.expose());
        (self.who.holder, self.who.session) = match (&self.shown.token, cookie) {
            (Some(token), cookie) => {
                let session = cookie.map_or(SessionName::Address(self.who.address), SessionName::of_cookie);
                match authenticator.identify(&asker.shared.access, token, self.who.address, session) {
                    Identified::Now(holder) => (holder, None),
                    Identified::Later => return false,
                }
            }
            (None, Some(cookie)) => authenticator
                .of_cookie(cookie)
                .map_or((Holder::Nobody, None), |(holder, session)| (holder, Some(session))),
            (None, None) => (Holder::Nobody, None),
        };
        self.identified = true;
        true
    }

    /// It was given what it asked for: a link for one session is this session's from now on.
    pub(super) fn was_let_in(&self, asker: &ClientContext<'_>) {
        let cookie = self.shown.cookie.as_ref().map(|cookie| SessionName::of_cookie(cookie.expose()));
        let session = cookie.unwrap_or(SessionName::Address(self.who.address));
        asker.shared.authenticator.use_link(&self.who.holder, session, asker.shared.access.time());
    }

    /// An answer as it is sent. `drained`: nothing of the request's body is still to come.
    pub(super) fn answer(&self, asker: &ClientContext<'_>, answer: Answer, drained: bool) -> Encoded {
        // Who publishes may read no answers, and its stream is missed at the hub. A page that may not has been told of already.
        let publishes = self.request.path.starts_with("/api/") && matches!(&*self.request.method, "POST" | "PUT");
        if publishes
            && let Some((status, why)) = answer.refusal()
            && status != 403
        {
            let path = Untrusted(&self.request.path);
            log::info!("{}: {} {path:.200}: {status} {why}", self.client(asker), self.request.method);
        }
        answer.encode(&self.exchange(asker, &[]), drained)
    }

    /// An answer as the last thing that is sent.
    pub(super) fn last_words(&self, asker: &ClientContext<'_>, answer: Answer) -> Vec<u8> {
        answer.encode(&self.exchange(asker, &[]), false).head
    }

    /// Whether more may come behind the head.
    pub(super) fn has_body(&self) -> bool {
        !matches!(length_of(&self.request.fields), Ok(None))
    }
}

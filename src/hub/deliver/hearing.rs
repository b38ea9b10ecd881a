//! What a delivery loop's peers say: pictures of publishers, acknowledgements and wishes of viewers.

use std::sync::Arc;

use super::peer::Role;
use crate::adapt::Asked;
use crate::frame::Picture;
use crate::hub::Shared;
use crate::hub::numbers::Metrics;
use crate::hub::stream::Stream;
use crate::net::connection::Broken;
use crate::pacing::Pacer;
use crate::room::{ConnectionId, StreamKey};
use crate::session::Session;
use crate::text::Untrusted;
use crate::time::{Micros, micros, now};
use crate::wire::WireError;
use crate::wire::control::{AskedPicture, Cause, Control, StreamState, Want, answer, check_name};
use crate::wire::detection;
use crate::wire::json;
use crate::wire::packet::Packet;

/// Requests of one peer between two ticks (100 ms) that the rules or other peers have to hear of. A person who clicks
/// through streams makes a few a second.
const MOST_REQUESTS: u32 = 16;

/// What listens to a peer's packets while its connection is being read.
pub(super) struct Hearing<'a> {
    pub(super) id: ConnectionId,
    pub(super) role: &'a Role,
    pub(super) session: Option<&'a mut Session>,
    pub(super) metrics: &'a mut Metrics,
    pub(super) pacer: &'a mut Pacer,
    pub(super) requests: &'a mut u32,
    pub(super) room: &'a mut String,
    pub(super) bare: bool,
    pub(super) unread_since: Option<Micros>,
    pub(super) answers: Vec<Control>,
    /// The streams are to be told.
    pub(super) list_owed: &'a mut bool,
    pub(super) text: Option<&'static str>,
    pub(super) said: bool,
    pub(super) closing: bool,
    /// It waits for a name.
    pub(super) claiming: bool,
    pub(super) heard: bool,
}

impl Hearing<'_> {
    pub(super) fn packet(
        &mut self,
        packet: Packet,
        began: Micros,
        shared: &Arc<Shared>,
        fresh: &mut Vec<(Arc<Stream>, usize)>,
        said: &mut Vec<(Packet, Micros)>,
    ) -> Result<(), Broken> {
        let at = now();
        self.heard = true;
        if let Some(session) = &mut self.session {
            session.heard(at);
        }
        if self.closing {
            return Ok(());
        }
        if self.claiming {
            return Err(match packet {
                Packet::Control(Control::Bye { .. }) => Broken::Closed,
                _ => WireError::Malformed("nothing is said between the hello and its answer").into(),
            });
        }
        if let Role::Member(_) = self.role {
            self.said |= matches!(packet, Packet::Text(_));
            said.push((packet, began));
            return Ok(());
        }
        match packet {
            Packet::Control(control) => self.control(control, shared, at),
            Packet::Picture(mut picture) => {
                let Some(session) = &mut self.session else {
                    return Err(WireError::Malformed("a bare publisher sends bare pictures").into());
                };
                let spent = picture.spans.capture + picture.spans.encode;
                session.restate(&mut picture, spent, at);
                if picture.arrival {
                    // Nobody knows when it was taken, but for this.
                    picture.captured = picture.captured.min(began - spent);
                }
                picture.spans.uplink = at.since(picture.captured + spent);
                let waited = micros(at.since(self.unread_since.unwrap_or(at)));
                self.answers.push(Control::Ack { sequence: picture.sequence, backlog: 0, waited });
                self.publish(picture, at, shared, fresh)
            }
            Packet::Text(text) => {
                self.said = true;
                self.text = detection::answer(&text).or(self.text);
                Ok(())
            }
            Packet::Bare(data) if self.bare => {
                let sequence = u32::try_from(self.metrics.pictures & 0xffff_ffff).unwrap_or(0);
                let picture = Picture { sequence, ..Picture::arrived(began, at, data) };
                self.publish(picture, at, shared, fresh)
            }
            Packet::UnknownCodec { codec, sequence } => {
                let (Role::Publisher(stream), Some(_)) = (self.role, &self.session) else {
                    return Err(WireError::Malformed("a picture from one who has none to send").into());
                };
                self.answers.push(Control::Ack { sequence, backlog: 0, waited: 0 });
                self.leave_out(stream, format!("codec {codec} is unknown to this hub"), at, shared);
                Ok(())
            }
            Packet::UnknownKind(_) => {
                self.metrics.errors += 1;
                Ok(())
            }
            Packet::Bare(_) => Err(WireError::Malformed("a publisher that said hello sends packets").into()),
        }
    }

    fn publish(
        &mut self,
        mut picture: Picture,
        at: Micros,
        shared: &Arc<Shared>,
        fresh: &mut Vec<(Arc<Stream>, usize)>,
    ) -> Result<(), Broken> {
        let Role::Publisher(stream) = self.role else {
            return Err(WireError::Malformed("a picture from a viewer").into());
        };
        if let Err(reason) = shared.check_picture(&picture.data) {
            self.leave_out(stream, reason, at, shared);
            return Ok(());
        }
        if picture.metadata.as_deref().is_some_and(|m| !json::may_pass(m)) {
            // It is put into other people's JSON as it is.
            self.metrics.errors += 1;
            picture.metadata = None;
        }
        self.metrics.pictures += 1;
        self.metrics.age_sum += at.since(picture.captured);
        let (loops, wakes) = stream.put(picture, at);
        fresh.extend(loops.map(|index| (stream.clone(), index)));
        if wakes {
            shared.tell_silence(self.id, stream, at);
        }
        Ok(())
    }

    /// A picture must not end the stream, and no viewer must get it.
    fn leave_out(&mut self, stream: &Arc<Stream>, reason: String, at: Micros, shared: &Arc<Shared>) {
        self.metrics.errors += 1;
        self.metrics.dropped += 1;
        stream.refused(&reason);
        shared.judge_silence(self.id, stream, at);
        if self.metrics.dropped == 1 {
            log::warn!("{}: pictures are left out: {reason}", stream.key);
            self.answers.push(Control::Dropped { reason });
        }
    }

    fn control(&mut self, control: Control, shared: &Arc<Shared>, at: Micros) -> Result<(), Broken> {
        if let Some(session) = &mut self.session {
            answer(&mut self.answers, session.control(&control, at));
            if let (Control::Pong { .. }, Role::Publisher(stream)) = (&control, self.role) {
                stream.knows_clock(session.clock.error());
            }
        }
        if matches!(control, Control::Subscribe { .. } | Control::List | Control::State(_)) {
            *self.requests += 1;
            if *self.requests > MOST_REQUESTS {
                return Err(WireError::Malformed("more requests than anybody needs").into());
            }
        }
        match control {
            Control::Ack { sequence, backlog, .. } => {
                let backlog = u16::try_from(backlog).unwrap_or(u16::MAX);
                self.pacer.acknowledged(sequence, backlog, self.unread_since.unwrap_or(at), at);
            }
            Control::Pong { time, .. } if time <= at.0 => {
                self.pacer.round_trip(at.since(Micros(time)), at);
            }
            Control::Subscribe { room, name, want } if !matches!(self.role, Role::Publisher(_)) => {
                let check = check_name(&room).and_then(|()| if name.is_empty() { Ok(()) } else { check_name(&name) });
                let watched = check.and_then(|()| {
                    let key = StreamKey::new(&room, &name);
                    shared.decide(|rooms| rooms.watch(self.id, &key, at)).map_err(|e| e.to_string())
                });
                match watched {
                    Ok(()) => {
                        *self.room = room;
                        self.pacer.set_asked(asked(want));
                    }
                    Err(reason) => self.answers.push(Control::Bye { cause: Cause::Refused, reason }),
                }
            }
            Control::List => *self.list_owed = true,
            Control::State(state) => {
                let Role::Publisher(stream) = self.role else { return Ok(()) };
                let reason = if state.live { String::new() } else { plain_text(&state.reason, "no picture") };
                let asked = state.asked.map(|asked| AskedPicture {
                    size: plain_text(&asked.size, ""),
                    // A number that JSON cannot hold would end every viewer's connection.
                    fps: if asked.fps.is_finite() { asked.fps.clamp(0.0, 1000.0) } else { 0.0 },
                    ..asked
                });
                let told = StreamState { reason, asked, load: state.load.checked(), ..state };
                stream.told(&told, at);
                let Ok(()) = shared.decide(|rooms| Ok::<_, std::convert::Infallible>(rooms.report(self.id, told, at)));
            }
            Control::Supply { rungs } => {
                if let Role::Publisher(stream) = self.role {
                    stream.supplied(&rungs);
                }
            }
            Control::Bye { .. } => return Err(Broken::Closed),
            _ => {}
        }
        Ok(())
    }
}

/// What a viewer wants, as adaptation takes it.
pub(super) fn asked(want: Want) -> Asked {
    let quality = want.quality.filter(|q| *q > 0).map(|q| q.min(100));
    Asked { quality, size: want.size, max_rate: want.max_rate.map(|bits| bits.max(8_000)), adapt: true }
}

/// Words from a peer as they may be shown, never empty where that would mean live.
fn plain_text(text: &str, instead: &str) -> String {
    if text.is_empty() { instead.to_string() } else { Untrusted(text).to_string() }
}

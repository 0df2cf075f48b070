//! The reading side: what is kept, when reading stops, and what the machine is told.

use core::time::Duration;

use super::{Inbound, Peer, Session};
use crate::dialect::{Heard, Message};
use crate::event::Event;
use crate::time::Timestamp;

/// After its verdict, a peer is read this many frames at a time, and then rests. So a flood costs next to nothing, and a
/// Close behind ten thousand messages is found within a second.
const FRAMES_BEFORE_REST: usize = 64;
const BYTES_BEFORE_REST: usize = 16 * 1024;
const REST: Duration = Duration::from_millis(5);

/// What was read since the last rest, and when that rest ends. Only a peer that is offline gets rests.
pub(super) struct Rest {
    frames: usize,
    bytes: usize,
    pub(super) until: Timestamp,
}

impl Rest {
    pub(super) const NONE: Self = Self { frames: 0, bytes: 0, until: Timestamp::ZERO };

    fn count(&mut self, frames: usize, bytes: usize, now: Timestamp) {
        self.frames = self.frames.saturating_add(frames);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.frames >= FRAMES_BEFORE_REST || self.bytes >= BYTES_BEFORE_REST {
            *self = Self { until: now.saturating_add(REST), ..Self::NONE };
        }
    }
}

/// A caller that only writes must read this often. So the peer's ping waits no longer than this for its answer.
pub(crate) const LOOK_WHILE_WRITING: Duration = Duration::from_millis(50);

impl<T> Session<T> {
    /// Whether to read now. False while reading is paused or rests, while too many answers wait to be written, and after the
    /// end.
    #[must_use]
    #[inline]
    pub fn wants_read(&self, now: Timestamp) -> bool {
        if self.ended || self.owes_too_much() {
            return false;
        }
        if self.offline { now >= self.rest.until } else { !self.paused && !self.inbox.is_full(&self.limits) }
    }

    /// Nobody has read for 50 ms. A caller that only writes should read as soon as its message is written, and
    /// [`keep`](Self::keep) what arrives. Otherwise the peer's pings wait, and its Close is never noticed.
    #[must_use]
    pub fn is_behind(&self, now: Timestamp) -> bool {
        now.saturating_duration_since(self.looked_at) >= LOOK_WHILE_WRITING && self.wants_read(now)
    }

    /// Reports that this many bytes arrived. A driver that cannot see bytes never calls it; then only whole messages count.
    #[inline]
    pub fn received_bytes(&mut self, count: usize, now: Timestamp) {
        if count > 0 {
            self.progress = true;
            if self.offline {
                self.rest.count(0, count, now);
            }
        }
    }

    /// Reports what the library read. True: it is a message for the caller. Return it to the caller and call
    /// [`delivered`](Self::delivered), or [`keep`](Self::keep) it. False: it is not for the caller.
    #[inline]
    pub fn received(&mut self, inbound: Inbound<'_>, peer: &mut impl Peer, now: Timestamp) -> bool {
        self.progress = false;
        self.looked_at = now;
        if self.offline {
            self.rest.count(1, 0, now);
        }
        match inbound {
            Inbound::Message(message) => return self.received_message(message, peer, now),
            Inbound::Data => return self.heard(Heard::Data, peer, now),
            Inbound::Heard(heard) => return self.heard(heard, peer, now),
            Inbound::Pong(payload) => self.hear(Event::Pong(payload), peer, now),
            Inbound::Ping(payload) => {
                self.owe_pong(payload);
                self.hear(Event::Ping, peer, now);
            }
            Inbound::Close(code) => {
                self.peer_closed = true;
                self.on_peer_close();
                // After a verdict the session itself knows what it still waits for: at a server our Close, at a client the
                // end of the transport (RFC 6455 7.1.1).
                if peer.verdict().is_none() {
                    self.hear(Event::Close(code), peer, now);
                }
            }
        }
        false
    }

    /// A data message: a heartbeat, or the caller's.
    #[inline]
    fn received_message(&mut self, message: Message<'_>, peer: &mut impl Peer, now: Timestamp) -> bool {
        let (heard, answer) = self.heartbeat.hear(message);
        if let Some(answer) = answer {
            self.answer(answer);
        }
        self.heard(heard, peer, now)
    }

    /// Tells the machine. True if the message is for the caller, and no heartbeat.
    #[inline]
    pub(crate) fn heard(&mut self, heard: Heard, peer: &mut impl Peer, now: Timestamp) -> bool {
        let awaited = if heard == Heard::SomeAnswer { peer.awaited() } else { None };
        self.hear(heard.event(awaited.as_ref()), peer, now);
        heard == Heard::Data && !self.lost_message
    }

    /// Keeps a message for a caller that does not wait for one. After the verdict, a message that finds no room is dropped,
    /// and so are all that follow: the caller gets messages without a gap.
    pub fn keep(&mut self, message: T, bytes: usize) {
        self.lost_message |= self.offline && self.inbox.is_full(&self.limits);
        if !self.lost_message {
            self.inbox.push(message, bytes);
        }
    }

    /// The oldest message that was kept. Reading may resume after it.
    pub fn take(&mut self, peer: &mut impl Peer, now: Timestamp) -> Option<T> {
        let message = self.inbox.pop()?;
        self.full_since = None;
        self.resume_if_room(peer, now);
        self.delivered(now);
        Some(message)
    }

    /// Reports that the caller received a message. Whatever arrived after that message now waits for the caller.
    #[inline]
    pub fn delivered(&mut self, now: Timestamp) {
        self.away_since = Some(now);
        self.delivered_at = Some(now);
    }

    /// The next step is to read, and one more data message at `now` would change nothing, because an earlier one at the same
    /// moment already changed it.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_unmoved_by_data(&self, now: Timestamp) -> bool {
        let as_left = !self.progress && self.looked_at == now;
        let as_delivered = self.away_since == Some(now) && self.delivered_at == Some(now);
        let is_open = !self.offline && !self.discarding && !self.lost_message;
        is_open && as_left && as_delivered && self.kept() == 0 && self.wants_read(now) && !self.wants_write()
    }

    /// Reports that everything that had arrived has been read.
    ///
    /// Do not call it if a read stopped for another reason: a share that is used up, a task's budget, a TLS layer that still
    /// holds plaintext. Call [`read_suspended`](Self::read_suspended) then.
    pub fn read_blocked(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.report_progress(peer, now);
        self.away_since = None;
        self.looked_at = now;
        if self.write_broken {
            // The last messages of a peer that is gone have been read.
            self.end(peer, now);
        }
    }

    /// Reports that this turn ends while something may be unread. A verdict that the unread data might refute is delayed.
    ///
    /// Reading is paused if the inbox was full at the end of an earlier turn, longer than a last look ago, and the caller
    /// has taken nothing since. A slow caller that keeps reading causes no pause, because each pause restarts the wait for
    /// an answer. But if the inbox is full and the caller has taken nothing for two `timeout`s, reading is paused too:
    /// `Unread` delays a verdict no longer than that.
    pub fn read_suspended(&mut self, peer: &mut impl Peer, now: Timestamp) {
        self.report_progress(peer, now);
        if self.paused || self.ended {
            return;
        }
        let is_full = self.inbox.is_full(&self.limits);
        self.full_since = is_full.then(|| self.full_since.unwrap_or(now));
        let longer_ago =
            |at: Option<Timestamp>, than| at.is_some_and(|at| now.saturating_duration_since(at) > than);
        // A turn may take several passes, for example because the machine had something to do. Each pass ends here.
        let idle = longer_ago(self.full_since, peer.config().last_look());
        if idle || (is_full && longer_ago(self.delivered_at, peer.config().timeout().saturating_mul(2))) {
            self.pause_if(true, peer, now);
        } else {
            peer.handle(Event::Unread, now);
        }
    }

    /// How many messages are kept for the caller.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.inbox.len()
    }

    /// Reading is paused: the caller does not take what was kept, or the peer does not read the answers that it asked for.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    fn report_progress(&mut self, peer: &mut impl Peer, now: Timestamp) {
        if core::mem::take(&mut self.progress) && !self.discarding {
            self.hear(Event::Progress, peer, now);
        }
    }

    /// Reports what the peer did. If it may have waited for us, the machine learns that first: so no verdict falls before
    /// the rest is read, and no round trip includes the caller's delay.
    #[inline]
    pub(super) fn hear(&mut self, event: Event<'_>, peer: &mut impl Peer, now: Timestamp) {
        if let Some(since) = self.away_since {
            // Most messages have not waited at all.
            if now > since && now.saturating_duration_since(since) > peer.config().last_look() {
                self.away_since = None;
                peer.handle(Event::Unread, now);
            }
        }
        peer.handle(event, now);
    }

    /// While nobody reads, no wait for the peer may run.
    pub(super) fn pause_if(&mut self, stopped: bool, peer: &mut impl Peer, now: Timestamp) {
        if stopped && !self.paused && !self.offline && !self.ended {
            self.paused = true;
            peer.handle(Event::ReadPaused, now);
        }
    }

    fn has_room(&self) -> bool {
        self.inbox.is_below_half(&self.limits) && self.answers_owed() <= self.limits.answers / 2
    }

    /// Half of the room must be free. Otherwise a slow caller would cause a pause for each message.
    pub(super) fn resume_if_room(&mut self, peer: &mut impl Peer, now: Timestamp) {
        if self.paused && self.has_room() {
            self.paused = false;
            peer.handle(Event::ReadResumed, now);
        }
    }
}

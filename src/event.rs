//! What the peer did, and what the caller must do about it.

use core::fmt;
use core::num::NonZeroU16;

use crate::payload::Payload;

/// Something that happened: report it to [`Liveness::handle`](crate::Liveness::handle).
///
/// The first seven come from the peer, and are evidence that it is alive ([`Evidence`](crate::Evidence) says which count).
/// The last five come from our side. They are never evidence: the kernel accepts bytes for a dead peer until its buffer is
/// full.
///
/// A later version may add kinds. Callers build events and only the machine matches them, so a driver that does not report a
/// new kind works as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A complete data message arrived.
    Data,
    /// Inbound bytes arrived that complete no message yet: part of a large frame, a fragment.
    Progress,
    /// A Ping frame arrived. The library or the driver answers it; the machine counts its cost.
    Ping,
    /// A Pong frame with this payload arrived.
    Pong(&'a [u8]),
    /// A Close frame arrived, with its status code if it had one.
    Close(Option<u16>),
    /// What arrived breaks the protocol, and nothing after it can be read. The code goes into our Close frame: 1002
    /// (protocol error), 1007 (invalid payload) or 1009 (message too big), RFC 6455 7.4.1.
    Violation(CloseCode),
    /// The transport ended or failed: no more bytes will come.
    Eof,
    /// Our bytes entered the transport.
    Wrote,
    /// The last byte of the newest ping entered the transport. With `write_timeout` set, the wait for its answer begins
    /// here.
    PingSent,
    /// We stopped reading: our own backpressure.
    ReadPaused,
    /// We read again.
    ReadResumed,
    /// More has arrived than we have read, or data has waited for us in the kernel. A verdict that this data may refute is
    /// delayed, within a bound, and a round trip across this moment is not a sample.
    Unread,
}

/// What the caller must do: the result of [`Liveness::poll`](crate::Liveness::poll).
///
/// Every machine returns [`MarkOnline`](Action::MarkOnline) first, [`MarkOffline`](Action::MarkOffline) exactly once, and
/// [`Disconnect`](Action::Disconnect) exactly once and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a dropped action is a ping never sent or a death never reported"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller that ignores a new action would be wrong; it must not compile"
)]
pub enum Action {
    /// The peer is online: at the start, and again when evidence ends a suspicion.
    MarkOnline,
    /// Write a Ping frame with this payload.
    SendPing(Payload),
    /// A ping has been unanswered for longer than usual. Show the user in grey, but keep everything that belongs to the
    /// user.
    MarkSuspect,
    /// The verdict. It is final: no event makes this connection online again.
    MarkOffline(Reason),
    /// Write a Close frame with this code, or an empty one. If the library answers a Close by itself, only flush it.
    Close(Option<CloseCode>),
    /// Close the transport and free everything. No more actions will come.
    Disconnect,
}

/// The action as transcripts write it, for a log: `online`, `suspect`, `offline ping-timeout`, `close 3008`, `disconnect`. A
/// ping has its payload, `ping 0123456789abcdef`, where a transcript has its number.
///
/// ```
/// use liveness::{Action, Reason};
///
/// assert_eq!(Action::MarkOffline(Reason::PingTimeout).to_string(), "offline ping-timeout");
/// ```
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MarkOnline => f.write_str(Status::Online.word()),
            Self::SendPing(payload) => write!(f, "ping {payload}"),
            Self::MarkSuspect => f.write_str(Status::Suspect.word()),
            Self::MarkOffline(reason) => write!(f, "{} {reason}", Status::Offline.word()),
            Self::Close(Some(code)) => write!(f, "close {code}"),
            Self::Close(None) => f.write_str("close"),
            Self::Disconnect => f.write_str("disconnect"),
        }
    }
}

/// Why a peer went offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A ping was not answered within `timeout`.
    PingTimeout,
    /// A ping could not be written: none of our bytes entered the transport for `write_timeout`.
    WriteStalled,
    /// Nothing at all arrived for `silence_timeout`.
    Silent,
    /// No data message, and no part of one, arrived for `idle_timeout`.
    Idle,
    /// More control frames arrived than `control_budget` allows.
    PingFlood,
    /// What the peer sent breaks the protocol. Our Close has this code.
    ProtocolError(CloseCode),
    /// The peer sent a Close frame, with this status code if it had one.
    PeerClosed(Option<u16>),
    /// The transport ended or failed without a Close frame.
    TransportClosed,
    /// The caller asked for it with [`Liveness::close`](crate::Liveness::close).
    LocalClosed,
}

impl Reason {
    /// The reason in a few words, for the text of a Close frame: at most 123 bytes (RFC 6455 5.5).
    ///
    /// ```
    /// assert_eq!(liveness::Reason::PingTimeout.description(), "no answer to a ping in time");
    /// ```
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::PingTimeout => "no answer to a ping in time",
            Self::WriteStalled => "nothing could be written for too long",
            Self::Silent => "nothing was received for too long",
            Self::Idle => "no data was received for too long",
            Self::PingFlood => "too many control frames",
            Self::ProtocolError(_) => "what was received breaks the protocol",
            Self::PeerClosed(_) => "closed by the peer",
            Self::TransportClosed => "the transport was closed",
            Self::LocalClosed => "closed by this side",
        }
    }

    /// The connection's close code (RFC 6455 7.1.5), as a browser's script sees it and as [`Reconnect`](crate::Reconnect)
    /// expects it: the code of the peer's Close frame, 1005 if the frame had no code, and 1006 if no Close frame came before
    /// the verdict.
    ///
    /// It is 1000 for [`LocalClosed`](Reason::LocalClosed), because this side wanted to close.
    ///
    /// ```
    /// use liveness::Reason;
    ///
    /// assert_eq!(Reason::PeerClosed(Some(1012)).connection_close_code(), 1012);
    /// assert_eq!(Reason::PeerClosed(None).connection_close_code(), 1005);
    /// assert_eq!(Reason::PingTimeout.connection_close_code(), 1006);
    /// ```
    #[must_use]
    pub const fn connection_close_code(self) -> u16 {
        match self {
            Self::PeerClosed(Some(code)) => code,
            Self::PeerClosed(None) => 1005,
            Self::PingTimeout | Self::WriteStalled | Self::Silent | Self::Idle => 1006,
            Self::PingFlood | Self::ProtocolError(_) | Self::TransportClosed => 1006,
            Self::LocalClosed => 1000,
        }
    }
}

/// The reason as transcripts write it: `ping-timeout`, `peer-closed 1000`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PingTimeout => "ping-timeout",
            Self::WriteStalled => "write-stalled",
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::PingFlood => "ping-flood",
            Self::ProtocolError(code) => return write!(f, "protocol-error {code}"),
            Self::PeerClosed(Some(code)) => return write!(f, "peer-closed {code}"),
            Self::PeerClosed(None) => "peer-closed",
            Self::TransportClosed => "transport-closed",
            Self::LocalClosed => "local-closed",
        })
    }
}

/// The state of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth state")]
pub enum Status {
    /// Alive, as far as we can know.
    Online,
    /// Late with an answer, and no verdict yet.
    Suspect,
    /// The verdict was given. Final.
    Offline,
}

impl Status {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Suspect => "suspect",
            Self::Offline => "offline",
        }
    }
}

/// A word: `online`, `suspect` or `offline`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A Close status code that may go on the wire (RFC 6455 7.4).
///
/// This type cannot hold a code that never goes on the wire: 1004, 1005, 1006, 1015, codes below 1000 and codes above 4999.
///
/// ```
/// use liveness::CloseCode;
///
/// assert_eq!(CloseCode::TIMEOUT.get(), 3008);
/// assert!(CloseCode::new(4000).is_some());
/// assert!(CloseCode::new(1006).is_none());
///
/// // For a code from a file, the error says why the code is refused.
/// let code = CloseCode::try_from(1012)?;
/// assert_eq!((code, u16::from(code)), (CloseCode::SERVICE_RESTART, 1012));
/// assert_eq!(
///     CloseCode::try_from(1006).unwrap_err().to_string(),
///     "1006 may not go on the wire: it says inside an endpoint that no Close frame came (RFC 6455 7.4.1)",
/// );
/// # Ok::<(), liveness::CloseCodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct CloseCode(NonZeroU16);

impl CloseCode {
    /// 1000: the connection has fulfilled its purpose.
    pub const NORMAL: Self = Self::known(1000);
    /// 1001: a server going down, a browser leaving the page.
    pub const GOING_AWAY: Self = Self::known(1001);
    /// 1002: a protocol error.
    pub const PROTOCOL_ERROR: Self = Self::known(1002);
    /// 1003: a kind of message that this side cannot accept, such as binary data for an endpoint that only accepts text.
    pub const UNSUPPORTED_DATA: Self = Self::known(1003);
    /// 1007: a payload that is not what its message type says, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self::known(1007);
    /// 1008: a policy was violated.
    pub const POLICY_VIOLATION: Self = Self::known(1008);
    /// 1009: a message too big to process.
    pub const TOO_BIG: Self = Self::known(1009);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self::known(1011);
    /// 1012: the service restarts; a client may dial again after a random 5 to 30 s (IANA).
    pub const SERVICE_RESTART: Self = Self::known(1012);
    /// 1013: the service is overloaded; a client may dial again later (IANA).
    pub const TRY_AGAIN_LATER: Self = Self::known(1013);
    /// 3008: timeout, as registered with IANA. The default code for a peer that does not answer.
    pub const TIMEOUT: Self = Self::known(3008);

    /// The code, or `None` if it may not go on the wire.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match NonZeroU16::new(code) {
            // RFC 6455 7.4.1: reserved, or only for reporting inside an endpoint. 7.4.2: the ranges.
            Some(code) if matches!(code.get(), 1000..=1003 | 1007..=1014 | 1016..=4999) => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    #[expect(clippy::unwrap_used, reason = "in a const this is the compile error")]
    const fn known(code: u16) -> Self {
        Self::new(code).unwrap()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The code, or the reason why it may not go on the wire.
impl TryFrom<u16> for CloseCode {
    type Error = CloseCodeError;

    fn try_from(code: u16) -> Result<Self, CloseCodeError> {
        Self::new(code).ok_or(CloseCodeError { code })
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.get()
    }
}

/// A Close status code that may not go on the wire, and why: from [`CloseCode::try_from`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCodeError {
    code: u16,
}

impl CloseCodeError {
    /// The refused number.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }
}

impl fmt::Display for CloseCodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.code {
            1004 => "it is reserved, and means nothing yet (RFC 6455 7.4.1)",
            1005 => "it says inside an endpoint that a Close frame had no code (RFC 6455 7.4.1)",
            1006 => "it says inside an endpoint that no Close frame came (RFC 6455 7.4.1)",
            1015 => "it says inside an endpoint that the TLS handshake failed (RFC 6455 7.4.1)",
            _ => "codes are 1000 to 4999 (RFC 6455 7.4.2)",
        };
        write!(f, "{} may not go on the wire: {why}", self.code)
    }
}

impl core::error::Error for CloseCodeError {}

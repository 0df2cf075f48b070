//! The keys of connections, and their errors.

use core::error::Error;
use core::fmt;

/// Names one connection of a [`Fleet`](super::Fleet), and never another. When the connection is gone, its key is stale, and
/// every use of it is an error.
///
/// It has eight bytes: as a number it fits the user data of epoll or io_uring, or a mio token.
///
/// ```
/// use liveness::{Config, Fleet, Key, Timestamp};
///
/// let mut fleet = Fleet::new(Config::DEFAULT, 7);
/// let key = fleet.insert(Timestamp::ZERO)?;
/// assert_eq!(Key::from_bits(key.to_bits()), key);
/// # Ok::<(), liveness::FleetError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// One number and not two, so that one instruction loads or stores it.
pub struct Key(u64);

impl Key {
    pub(super) const fn new(slot: u32, tag: Tag) -> Self {
        Self((slot as u64) << 32 | tag.0 as u64)
    }

    pub(super) const fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) const fn tag(self) -> Tag {
        Tag(self.0 as u32)
    }

    /// The number of the connection's place. It is below the largest number of connections that the fleet has ever held at
    /// once. Another connection may use the place later, so the number names a connection only together with the rest of the
    /// key. Use it as an index into your own table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot() as usize
    }

    /// The key as a number below 2^56. Larger numbers are free for your own use, for example for a listener.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The key with this number. A number that is not from [`to_bits`](Self::to_bits) gives a stale key.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag();
        write!(f, "Key({} of generation {} with config {})", self.slot(), tag.generation(), tag.config())
    }
}

/// Names settings that some connections of a fleet share: see [`Fleet::add_config`](super::Fleet::add_config).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConfigId(pub(super) u8);

/// The part that a slot's state and its key share: how often the slot was used before, and the config of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub(super) u32);

impl Tag {
    pub(super) const FIRST: Self = Self(0);
    /// The config of a free slot. No connection ever has it.
    pub(super) const NO_CONFIG: u8 = u8::MAX;

    pub(super) const fn with_config(self, config: ConfigId) -> Self {
        Self(self.0 & !0xff | config.0 as u32)
    }

    pub(super) const fn config(self) -> usize {
        (self.0 & 0xff) as usize
    }

    pub(super) const fn generation(self) -> u32 {
        self.0 >> 8
    }

    /// The slot was used 16.7 million times: there is no new generation left.
    pub(super) const fn is_last(self) -> bool {
        self.generation() == u32::MAX >> 8
    }

    /// The tag of the slot after the connection with this tag is gone.
    pub(super) const fn freed(self) -> Self {
        self.with_config(ConfigId(Self::NO_CONFIG))
    }

    /// The tag of the next connection, except for its config.
    pub(super) const fn next(self) -> Self {
        Self(self.generation().wrapping_add(1) << 8)
    }
}

/// The connection of this key is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaleKey;

impl fmt::Display for StaleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection of this key is gone: it was removed, or its `Disconnect` was handed out")
    }
}

impl Error for StaleKey {}

/// What a fleet refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetError {
    /// Another connection: the fleet holds 16.7 million already.
    Full,
    /// Another config: the fleet has 255 already.
    TooManyConfigs,
    /// A connection with a config of another fleet.
    UnknownConfig,
    /// New settings for a connection that is gone: see [`StaleKey`].
    StaleKey,
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the fleet is full: it holds 16.7 million connections; start another",
            Self::TooManyConfigs => "the fleet has 255 configs, all that it can tell apart; start another",
            Self::UnknownConfig => {
                "the config is another fleet's: use an id that `add_config` of this fleet gave"
            }
            Self::StaleKey => return StaleKey.fmt(f),
        })
    }
}

impl Error for FleetError {}

impl From<StaleKey> for FleetError {
    fn from(_: StaleKey) -> Self {
        Self::StaleKey
    }
}

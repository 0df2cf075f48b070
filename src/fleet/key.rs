//! The names of connections, and what can be wrong with them.

use core::error::Error;
use core::fmt;

/// Names one connection of a [`Fleet`](super::Fleet), and no other, for ever: when the connection is gone, its key is
/// stale, and every use of it an error.
///
/// Eight bytes: as a number it fits an epoll's or an io_uring's user data, or a mio token.
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
// One number, not two, so that it is stored and loaded whole.
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

    /// The number of the connection's place: below the largest number of connections that the fleet has ever held at once.
    /// Places are used again, so it names a connection only together with the rest of the key; it is good for a table of
    /// your own beside the fleet.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot() as usize
    }

    /// The key as a number, below 2^56: larger ones are free for what is no connection of the fleet, such as a listener.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The key that became this number. Of any other number it makes a key that is stale.
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

/// What a slot's state and its key have in common: how often the slot was used before, and the config of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub(super) u32);

impl Tag {
    pub(super) const FIRST: Self = Self(0);
    /// The config of a free slot: no connection ever has this one.
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

    /// The slot was used by the last connection that it can tell apart, of 16.7 million.
    pub(super) const fn is_last(self) -> bool {
        self.generation() == u32::MAX >> 8
    }

    /// The tag of the slot, once the connection with this one is gone.
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

/// What a fleet cannot take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetError {
    /// Another connection: it holds 16.7 million already.
    Full,
    /// Another config: it has 255 already.
    TooManyConfigs,
    /// A connection with a config that another fleet was given, and this one was not.
    UnknownConfig,
    /// Other settings for a connection that is gone: see [`StaleKey`].
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

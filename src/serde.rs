//! Settings from files, and values for logs, in the formats of serde. Written by hand, because a derive would take longer to
//! compile.

use alloc::format;
use alloc::string::String;

use core::fmt;
use core::time::Duration;

use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::{Config, SETTINGS, SettingsParser, Show, parse_duration};
use crate::event::{CloseCode, Reason, Status};
use crate::liveness::Stats;
use crate::payload::Payload;
use crate::rtt::Rtt;
use crate::time::Timestamp;

#[expect(clippy::indexing_slicing, reason = "in a const that is a compile error")]
const NAMES: [&str; SETTINGS.len()] = {
    let mut names = [""; SETTINGS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = SETTINGS[index].0;
        index += 1;
    }
    names
};

/// Every setting under the name of its getter, as text:
/// `{"interval": "20s", "timeout": "never", "suspicion": "after:2s", "control_budget": "128/16", ...}`. `jitter` and
/// `close_code` are numbers. A binary format such as postcard gets one text with all settings, as
/// [`Display`](#impl-Display-for-Config) shows it.
impl Serialize for Config {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if !to.is_human_readable() {
            return to.collect_str(self);
        }
        let mut to = to.serialize_struct("Config", SETTINGS.len())?;
        for (name, show) in SETTINGS {
            match name {
                "jitter" => to.serialize_field(name, &self.jitter())?,
                "close_code" => to.serialize_field(name, &self.close_code())?,
                _ => to.serialize_field(name, &AsText(Shown { config: self, show }))?,
            }
        }
        to.end()
    }
}

/// Reads what `Serialize` writes. A missing setting has its default. A setting that is unknown, comes twice, cannot be read
/// or breaks a rule is an error with its name, like [`ParseConfigError`](crate::ParseConfigError).
///
/// In TOML, for example:
///
/// ```toml
/// [heartbeat]
/// interval = "5s"
/// timeout = "10s"
/// suspicion = "after:2s"
/// jitter = 10
/// ```
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            return from.deserialize_struct("Config", &NAMES, Map);
        }
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// One setting, serialized as `Display` shows it.
struct Shown<'a> {
    config: &'a Config,
    show: Show,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.show)(self.config, f)
    }
}

/// A value, serialized as `Display` shows it.
struct AsText<T>(T);

impl<T: fmt::Display> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// The settings as a map.
struct Map;

impl<'de> Visitor<'de> for Map {
    type Value = Config;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
        let mut settings = SettingsParser::new(Config::builder());
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Value { key: &key })?;
            settings.set_value(&key, &value).map_err(A::Error::custom)?;
        }
        settings.builder.build().map_err(A::Error::custom)
    }
}

/// The value of one setting, as text. A number counts as its text: if the setting needs a unit, the error says so.
struct Value<'a> {
    key: &'a str,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_any(self)
    }
}

impl Visitor<'_> for Value<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text or a number as the value of `{}`", self.key)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.into())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<String, E> {
        Ok(format!("{number}"))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<String, E> {
        Ok(format!("{number}"))
    }
}

/// Exact seconds as text, as [`Display`](#impl-Display-for-Timestamp) shows them: `"12.5s"`. A number would lose nanoseconds
/// in a reader that uses floats, such as JavaScript.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Reads a time since the origin, by the rules of [`parse_duration`](crate::parse_duration).
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        parse_duration(&String::deserialize(from)?).map(Self::from).map_err(D::Error::custom)
    }
}

/// The number: `3008`.
impl Serialize for CloseCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(self.get())
    }
}

/// Reads the number. For a code that may not go on the wire, the error says why.
impl<'de> Deserialize<'de> for CloseCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(u16::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// A word: `"online"`, `"suspect"` or `"offline"`.
impl Serialize for Status {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

/// Reads the word. Any other word is an error.
impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = String::deserialize(from)?;
        [Self::Online, Self::Suspect, Self::Offline]
            .into_iter()
            .find(|status| status.word() == read)
            .ok_or_else(|| {
                D::Error::custom(format!("`{read}` is no status; write `online`, `suspect` or `offline`"))
            })
    }
}

/// Sixteen hexadecimal digits, as [`Display`](#impl-Display-for-Payload) shows them: `"0123456789abcdef"`.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Reads the sixteen digits, in lower case: for a heartbeat in a field of your own message.
impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = String::deserialize(from)?;
        Self::from_digits(&read).ok_or_else(|| {
            D::Error::custom(format!("`{read}` is no payload; write 16 hexadecimal digits in lower case"))
        })
    }
}

/// The reason as transcripts write it: `"ping-timeout"`, `"peer-closed 1000"`. It has no `Deserialize`, because only a
/// machine makes a reason.
impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The counts under their names. They have no `Deserialize`, because only a machine makes them.
impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut to = to.serialize_struct("Stats", 4)?;
        to.serialize_field("pings", &self.pings)?;
        to.serialize_field("answers", &self.answers)?;
        to.serialize_field("stalls_forgiven", &self.stalls_forgiven)?;
        to.serialize_field("suspicions_survived", &self.suspicions_survived)?;
        to.end()
    }
}

/// The times under their names, in seconds like a [`Timestamp`]: `{"latest": "0.04s", ...}`. They have no `Deserialize`,
/// because only a machine makes them.
impl Serialize for Rtt {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let seconds = |duration: Duration| AsText(Timestamp::from(duration));
        let mut to = to.serialize_struct("Rtt", 4)?;
        to.serialize_field("latest", &seconds(self.latest))?;
        to.serialize_field("smoothed", &seconds(self.smoothed))?;
        to.serialize_field("variation", &seconds(self.variation))?;
        to.serialize_field("min", &seconds(self.min))?;
        to.end()
    }
}

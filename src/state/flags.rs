//! Flags, and the kind of the latest evidence, in two bytes.

/// The kind of the latest evidence, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    Data,
    Progress,
    Ping,
    Pong,
}

/// Thirteen flags, and [`Heard`] in the other three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(u16);

impl Flags {
    /// `MarkOnline` comes next.
    pub(super) const ANNOUNCE: u16 = 1;
    /// `MarkSuspect` was handed out, and no evidence came since.
    pub(super) const SUSPECT: u16 = 1 << 1;
    /// We are not reading (rule 9).
    pub(super) const PAUSED: u16 = 1 << 2;
    /// The answer to the newest ping is not a sample of the round trip (rule 3).
    pub(super) const NO_SAMPLE: u16 = 1 << 3;
    /// The caller asked for a ping that has not gone out yet.
    pub(super) const PROBE: u16 = 1 << 4;
    /// The newest ping is a probe's, and is not written yet.
    pub(super) const PROBE_UNWRITTEN: u16 = 1 << 5;
    /// The wait for an answer is as long as `probe_timeout`, and counts from where a probe's ping was written.
    pub(super) const PROBE_WAIT: u16 = 1 << 6;
    /// The fresh ping of rule 6 was handed out since the latest evidence.
    pub(super) const PING_FORGIVEN: u16 = 1 << 7;
    /// Silence that we saw late was forgiven since the latest event of the peer.
    pub(super) const SILENCE_FORGIVEN: u16 = 1 << 8;
    /// `Unread` came since the verdict was noted, or since its last look began anew (rule 5).
    pub(super) const UNREAD: u16 = 1 << 9;
    /// The last look of the verdict that was noted last began anew.
    pub(super) const LOOKED_AGAIN: u16 = 1 << 10;
    /// Before the verdict: `MarkSuspect` was handed out since our last write, the last ping or the last resumption. One wait
    /// gives one suspicion (rule 8).
    pub(super) const SUSPECTED: u16 = 1 << 11;
    /// After the verdict, the same bit means: the peer closed too, or the transport ended. There is nothing more to wait
    /// for.
    pub(super) const GONE: u16 = Self::SUSPECTED;
    /// A fleet keeps separate settings for this connection; its key names others.
    #[cfg(feature = "alloc")]
    pub(super) const RECONFIGURED: u16 = 1 << 12;

    const HEARD: u16 = 0b111 << 13;

    pub(super) const NEW: Self = Self(Self::ANNOUNCE);

    /// Any of these flags is set.
    pub(super) const fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }

    pub(super) const fn set(&mut self, flag: u16) {
        self.0 |= flag;
    }

    /// Clears these flags.
    pub(super) const fn clear(&mut self, flag: u16) {
        self.0 &= !flag;
    }

    /// Sets the flag, or clears it.
    pub(super) const fn put(&mut self, flag: u16, on: bool) {
        self.clear(flag);
        if on {
            self.set(flag);
        }
    }

    /// Clears the flag and says whether it was set.
    pub(super) const fn take(&mut self, flag: u16) -> bool {
        // It is nearly always clear: then nothing is written.
        let had = self.has(flag);
        if had {
            self.clear(flag);
        }
        had
    }

    pub(super) const fn heard(self) -> Heard {
        match (self.0 & Self::HEARD) >> 13 {
            0 => Heard::Nothing,
            1 => Heard::Data,
            2 => Heard::Progress,
            3 => Heard::Ping,
            _ => Heard::Pong,
        }
    }

    #[inline]
    pub(super) const fn set_heard(&mut self, heard: Heard) {
        self.0 = self.0 & !Self::HEARD | (heard as u16) << 13;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_disturbs_no_flag_and_no_flag_disturbs_it() {
        let mut flags = Flags::NEW;
        for heard in [Heard::Pong, Heard::Data, Heard::Progress, Heard::Ping, Heard::Nothing] {
            flags.set_heard(heard);
            flags.set(Flags::GONE | Flags::SUSPECT);
            assert_eq!(flags.heard(), heard);
            assert!(flags.take(Flags::GONE) && flags.take(Flags::SUSPECT) && !flags.take(Flags::SUSPECT));
            assert!(flags.has(Flags::ANNOUNCE));
        }
    }
}

//! The worlds: what networks, peers and hosts do to a connection.

use crate::proxy::{Limits, NO_PROXY};
use crate::spells::Often;

/// What both directions of a path have in common.
#[derive(Clone, Copy)]
pub struct Network {
    /// The latency one way, in seconds.
    pub latency: f64,
    /// More latency, drawn from a lognormal distribution: its median in seconds, and its sigma.
    pub jitter: f64,
    pub spread: f64,
    /// The share of segments that are lost.
    pub loss: f64,
    pub outages: Option<Often>,
}

/// The messages of one side: how often, in seconds, and how large.
#[derive(Clone, Copy)]
pub struct Talk {
    pub every: f64,
    pub bytes: f64,
    /// Send each one exactly `every` seconds after the one before has left.
    pub streaming: bool,
}

/// How the end of a life looks to us.
#[derive(Clone, Copy, PartialEq)]
pub enum Death {
    /// Nothing arrives any more, in either direction, and neither side is told.
    Cut,
    /// The peer receives nothing, and goes on sending.
    Deaf,
    /// The peer receives what we send, and we receive nothing.
    Mute,
}

#[derive(Clone, Copy)]
pub struct World {
    pub name: &'static str,
    /// A description, for the page.
    pub says: &'static str,
    pub network: Network,
    /// Bytes a second, in each direction.
    pub rate: f64,
    pub peer_talks: Option<Talk>,
    pub we_talk: Option<Talk>,
    pub peer_stalls: Option<Often>,
    /// A ping is answered after up to this many seconds.
    pub slow_pongs: f64,
    /// The share of pings that arrive, but that the peer's program never answers.
    pub lost_pings: f64,
    pub proxy: Limits,
    /// Every rule that has a separate timeout has it at never.
    pub keepalive: bool,
    pub driver_stalls: Option<Often>,
    /// Our side does not read; its timers go on.
    pub read_pauses: Option<Often>,
    /// The host is suspended, and its network with it.
    pub sleeps: Option<Often>,
    pub clock_counts_sleep: bool,
    /// The loop handles its timers before its sockets.
    pub timers_first: bool,
    pub death: Death,
    /// How long a life is before its death, in seconds.
    pub life: f64,
    /// Nothing that the peer does or the network loses is a reason to close. The trouble is on our side, or can be seen
    /// from it. A mistake here is the rule's own, whatever its timeout is.
    pub fair: bool,
}

const LAN: Network = Network { latency: 0.000_2, jitter: 0.000_1, spread: 0.5, loss: 0.0, outages: None };
const FAR: Network = Network { latency: 0.045, jitter: 0.001, spread: 0.5, loss: 0.0, outages: None };
const WAN: Network = Network { latency: 0.04, jitter: 0.004, spread: 0.8, loss: 0.01, outages: None };

const IDLE: World = World {
    name: "lan",
    says: "0.6 ms round trip, nothing lost; nobody says anything",
    network: LAN,
    rate: f64::INFINITY,
    peer_talks: None,
    we_talk: None,
    peer_stalls: None,
    slow_pongs: 0.0,
    lost_pings: 0.0,
    proxy: NO_PROXY,
    keepalive: false,
    driver_stalls: None,
    read_pauses: None,
    sleeps: None,
    clock_counts_sleep: true,
    timers_first: false,
    death: Death::Cut,
    life: 1800.0,
    fair: true,
};

pub const WORLDS: &[World] = &[
    IDLE,
    World { name: "wan", says: "90 ms round trip, 1 % lost", network: WAN, fair: false, ..IDLE },
    World {
        name: "bad wan",
        says: "90 ms round trip, 5 % lost",
        network: Network { loss: 0.05, ..WAN },
        fair: false,
        ..IDLE
    },
    World {
        name: "mobile",
        says: "from 100 ms to seconds, 2 % lost; every ten minutes no signal for 1 to 20 s",
        network: Network {
            latency: 0.03,
            jitter: 0.05,
            spread: 1.0,
            loss: 0.02,
            outages: Some(Often { every: 600.0, shortest: 1.0, longest: 20.0 }),
        },
        fair: false,
        ..IDLE
    },
    World {
        name: "satellite",
        says: "600 ms round trip, 1 % lost; a fade of 0.5 to 8 s twice an hour",
        network: Network {
            latency: 0.28,
            jitter: 0.02,
            spread: 0.8,
            loss: 0.01,
            outages: Some(Often { every: 1800.0, shortest: 0.5, longest: 8.0 }),
        },
        fair: false,
        ..IDLE
    },
    World {
        name: "chat",
        says: "wan; either end says something every 5 s",
        network: WAN,
        peer_talks: Some(Talk { every: 5.0, bytes: 200.0, streaming: false }),
        we_talk: Some(Talk { every: 5.0, bytes: 200.0, streaming: false }),
        fair: false,
        ..IDLE
    },
    World {
        name: "upload",
        says: "1 MB/s; every two minutes the peer sends one frame of 20 MB, inside which no pong can come",
        rate: 1e6,
        peer_talks: Some(Talk { every: 120.0, bytes: 20e6, streaming: false }),
        ..IDLE
    },
    World {
        name: "download",
        says: "1 MB/s; every two minutes we send 20 MB, and our ping queues behind it",
        rate: 1e6,
        we_talk: Some(Talk { every: 120.0, bytes: 20e6, streaming: false }),
        ..IDLE
    },
    World {
        name: "streaming",
        says: "we send 100 kB every second, and go on after the peer has died",
        rate: 1e6,
        we_talk: Some(Talk { every: 1.0, bytes: 1e5, streaming: true }),
        ..IDLE
    },
    World {
        name: "slow pongs",
        says: "the peer says something every second, and takes up to a minute to answer a ping",
        peer_talks: Some(Talk { every: 1.0, bytes: 200.0, streaming: true }),
        slow_pongs: 60.0,
        ..IDLE
    },
    World {
        name: "lost pings",
        says: "the peer's program loses one ping in twenty, as a page does before its handler is there",
        lost_pings: 0.05,
        fair: false,
        ..IDLE
    },
    World {
        name: "proxy, our silence",
        says: "the peer says something every 5 s, and we nothing; a proxy cuts after 60 s without a byte from us",
        peer_talks: Some(Talk { every: 5.0, bytes: 200.0, streaming: false }),
        proxy: Limits { ours: 60.0, ..NO_PROXY },
        ..IDLE
    },
    World {
        name: "proxy, their silence",
        says: "we say something every 5 s, and the peer nothing; a proxy cuts after 60 s without a byte from the peer",
        we_talk: Some(Talk { every: 5.0, bytes: 200.0, streaming: false }),
        proxy: Limits { theirs: 60.0, ..NO_PROXY },
        ..IDLE
    },
    World {
        name: "keepalive",
        says: "all timeouts are never, and the peer answers no ping; a proxy cuts after 60 s without a byte from us",
        lost_pings: 1.0,
        proxy: Limits { ours: 60.0, ..NO_PROXY },
        keepalive: true,
        ..IDLE
    },
    World {
        name: "busy loop",
        says: "92 ms round trip; our loop is busy four fifths of the time, 20 ms to 1 s at a stretch, and serves timers before sockets",
        network: FAR,
        driver_stalls: Some(Often { every: 0.05, shortest: 0.02, longest: 1.0 }),
        timers_first: true,
        ..IDLE
    },
    World {
        name: "pauses",
        says: "92 ms round trip; our process stops for 0.1 to 30 s, twice a minute, and then reads its sockets first",
        network: FAR,
        driver_stalls: Some(Often { every: 30.0, shortest: 0.1, longest: 30.0 }),
        ..IDLE
    },
    World {
        name: "pauses, timers first",
        says: "the same, and its timers first",
        network: FAR,
        driver_stalls: Some(Often { every: 30.0, shortest: 0.1, longest: 30.0 }),
        timers_first: true,
        ..IDLE
    },
    World {
        name: "reading pauses",
        says: "the peer says something every 5 s; our loop stops reading for a minute, every five minutes; its timers go on",
        peer_talks: Some(Talk { every: 5.0, bytes: 200.0, streaming: false }),
        read_pauses: Some(Often { every: 300.0, shortest: 60.0, longest: 60.0 }),
        ..IDLE
    },
    World {
        name: "sleep, counted",
        says: "our laptop sleeps for a minute to three hours, every half an hour; its clock counts that",
        sleeps: Some(Often { every: 1800.0, shortest: 60.0, longest: 10_800.0 }),
        timers_first: true,
        life: 6.0 * 3600.0,
        ..IDLE
    },
    World {
        name: "sleep, not counted",
        says: "the same, and its clock stands still meanwhile",
        sleeps: Some(Often { every: 1800.0, shortest: 60.0, longest: 10_800.0 }),
        timers_first: true,
        clock_counts_sleep: false,
        life: 6.0 * 3600.0,
        ..IDLE
    },
    World {
        name: "peer stalls",
        says: "wan; the peer's process stops for 0.5 to 40 s, every five minutes",
        network: WAN,
        peer_stalls: Some(Often { every: 300.0, shortest: 0.5, longest: 40.0 }),
        fair: false,
        ..IDLE
    },
    World {
        name: "deaf",
        says: "wan; the peer says something every 5 s; when it dies it hears nothing any more, and talks on",
        network: WAN,
        peer_talks: Some(Talk { every: 5.0, bytes: 200.0, streaming: false }),
        death: Death::Deaf,
        fair: false,
        ..IDLE
    },
    World {
        name: "mute",
        says: "wan; both talk every 5 s; when the peer dies it still hears us",
        network: WAN,
        peer_talks: Some(Talk { every: 5.0, bytes: 200.0, streaming: false }),
        we_talk: Some(Talk { every: 5.0, bytes: 200.0, streaming: false }),
        death: Death::Mute,
        fair: false,
        ..IDLE
    },
];

//! A server of a few clients in the simulated network, with any settings and any trouble. Nothing is lost in the middle,
//! nothing overtakes, nothing comes after a connection's end, time never runs backwards, and nothing spins.
#![no_main]

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::sim::{ConnectionId, Frame, LinkProfile, Network, SimEvent};
use liveness::{Action, CloseCode, Config, Event, Liveness, Reason, Timestamp};

#[derive(Arbitrary, Debug)]
enum Trouble {
    Connect { latency: u16, jitter: u16, rate: u32 },
    Stall(u16),
    Of(u8, What),
}

/// What happens to one client. Times are in milliseconds.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum What {
    Speaks { bytes: u16 },
    Outage { from: u16, lasts: u16 },
    CutUp { from: u16 },
    CutDown { from: u16 },
    Mute,
    Leaves,
    Closed(CloseCode),
    Probed,
}

/// The settings, and what happens, each this many milliseconds after the last.
type Life = (Config, u64, Vec<(u16, Trouble)>);

/// The most clients, the most troubles, and how long to wait until all have ended.
const CLIENTS: usize = 5;
const TROUBLES: usize = 100;
const HOUR: Duration = Duration::from_secs(3600);
/// Settings of a nanosecond would need a turn for every nanosecond.
const TURNS: usize = 20_000;

fn millis(millis: u16) -> Duration {
    Duration::from_millis(millis.into())
}

struct World {
    config: Config,
    seed: u64,
    net: Network<u64, usize>,
    members: BTreeMap<ConnectionId, Member>,
}

struct Member {
    peer: Liveness,
    /// The numbers of the latest messages.
    said: u64,
    heard: u64,
    finished: bool,
}

impl World {
    fn live(&mut self, troubles: &[(u16, Trouble)]) {
        let mut last = Timestamp::ZERO;
        for (index, (after, _)) in troubles.iter().enumerate() {
            last += millis(*after);
            self.net.plan(last, index);
        }
        for _ in 0..TURNS {
            let due = self.members.values().filter_map(|member| member.peer.poll_timeout()).min();
            let before = self.net.now();
            let Some(event) = self.net.next_event(due) else { return };
            assert!(self.net.now() >= before);
            if self.net.now() > last + HOUR {
                return;
            }
            match event {
                SimEvent::Server => self.turn(),
                SimEvent::Client(..) => {}
                SimEvent::Planned(index) => self.befall(&troubles[index].1),
            }
        }
    }

    /// The server reads, then polls.
    fn turn(&mut self) {
        let now = self.net.now();
        while let Some((id, frame)) = self.net.read() {
            let member = self.members.get_mut(&id).expect("a client is a member");
            assert!(!member.finished, "a frame of a connection that was hung up");
            if let Frame::Data(number, _) = frame {
                assert_eq!(number, member.heard + 1, "lost or overtaken");
                member.heard = number;
            }
            member.peer.handle(frame.event(), now);
        }
        for (id, member) in &mut self.members {
            while let Some(action) = member.peer.poll(now) {
                assert!(!member.finished);
                if let Action::MarkOffline(Reason::WriteStalled) = action {
                    panic!("everything was written at once");
                }
                member.finished = action == Action::Disconnect;
                if let Some(frame) = Frame::from_action(action) {
                    self.net.to_client(*id, frame);
                    member.peer.handle(Event::Wrote, now);
                    member.peer.handle(Event::PingSent, now);
                }
            }
        }
    }

    fn befall(&mut self, trouble: &Trouble) {
        match *trouble {
            Trouble::Connect { latency, jitter, rate } if self.members.len() < CLIENTS => {
                let profile = LinkProfile::new(millis(latency)).jitter(millis(jitter)).rate(rate.into());
                let id = self.net.connect(profile, profile);
                let seed = self.seed ^ self.members.len() as u64;
                let peer = Liveness::new(self.config, seed, self.net.now());
                self.members.insert(id, Member { peer, said: 0, heard: 0, finished: false });
            }
            Trouble::Connect { .. } => {}
            Trouble::Stall(lasts) => self.net.stall(millis(lasts)),
            Trouble::Of(number, what) => {
                let count = self.members.len().max(1);
                let of = self.members.iter_mut().nth(usize::from(number) % count);
                if let Some((id, member)) = of {
                    member.suffer(*id, what, &mut self.net);
                }
            }
        }
    }
}

impl Member {
    fn suffer(&mut self, id: ConnectionId, what: What, net: &mut Network<u64, usize>) {
        let now = net.now();
        match what {
            What::Speaks { bytes } => {
                self.said += 1;
                net.to_server(id, Frame::Data(self.said, bytes.into()));
            }
            What::Leaves => net.to_server(id, Frame::Fin),
            What::Mute => net.set_answers(id, false),
            What::Closed(code) => self.peer.close(code, now),
            What::Probed => self.peer.probe(now),
            What::Outage { from, lasts } => {
                if let Some(link) = net.link_mut(id) {
                    link.outage(now + millis(from), millis(lasts));
                }
            }
            What::CutUp { from } => {
                if let Some(link) = net.link_mut(id) {
                    link.up.cut(now + millis(from));
                }
            }
            What::CutDown { from } => {
                if let Some(link) = net.link_mut(id) {
                    link.down.cut(now + millis(from));
                }
            }
        }
    }
}

fuzz_target!(|life: Life| {
    let (config, seed, troubles) = life;
    let mut world = World { config, seed, net: Network::new(seed), members: BTreeMap::new() };
    world.live(&troubles[..troubles.len().min(TROUBLES)]);
});

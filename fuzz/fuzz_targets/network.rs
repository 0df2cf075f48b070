//! A server of a few clients in the simulated network, under any settings and any trouble: nothing is lost in the middle,
//! nothing overtakes, nothing comes after the end of a connection, time never runs backwards, and nothing spins.
#![no_main]

use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use liveness::sim::{Frame, Happening, Id, Network, Path};
use liveness::{Action, CloseCode, Config, Event, Liveness, Reason, Timestamp};

#[derive(Arbitrary, Debug)]
enum Trouble {
    Connect { latency: u16, jitter: u16, rate: u32 },
    Speak(u8, u16),
    Outage(u8, u16, u16),
    CutUp(u8, u16),
    CutDown(u8, u16),
    Stall(u16),
    Mute(u8),
    Close(u8, CloseCode),
    Leave(u8),
    Probe(u8),
}

/// Settings; and what happens, each so many milliseconds after the last.
type Life = (Config, u64, Vec<(u16, Trouble)>);

#[derive(Default)]
struct Server {
    members: BTreeMap<Id, Member>,
}

struct Member {
    peer: Liveness,
    heard: u64,
    finished: bool,
}

fn at(millis: u16) -> Duration {
    Duration::from_millis(millis.into())
}

fn turn(server: &mut Server, net: &mut Network<u64, usize>) {
    let now = net.now();
    while let Some((id, frame)) = net.read() {
        let member = server.members.get_mut(&id).expect("a client is a member");
        assert!(!member.finished, "a frame of a connection that was hung up");
        if let Frame::Data(number, _) = frame {
            assert_eq!(number, member.heard + 1, "lost or overtaken");
            member.heard = number;
        }
        member.peer.handle(frame.event(), now);
    }
    for (id, member) in &mut server.members {
        while let Some(action) = member.peer.poll(now) {
            assert!(!member.finished);
            if let Action::MarkOffline(Reason::WriteStalled) = action {
                panic!("everything was written at once");
            }
            member.finished = action == Action::Disconnect;
            if let Some(frame) = Frame::from_action(action) {
                net.to_client(*id, frame);
                member.peer.handle(Event::Wrote, now);
                member.peer.handle(Event::PingSent, now);
            }
        }
    }
}

fuzz_target!(|life: Life| {
    let (config, seed, troubles) = life;
    let mut net = Network::<u64, usize>::new(seed);
    let mut server = Server::default();
    let (mut ids, mut said) = (Vec::<Id>::new(), BTreeMap::<Id, u64>::new());
    let mut when = Timestamp::ZERO;
    for (index, (after, _)) in troubles.iter().take(100).enumerate() {
        when += at(*after);
        net.plan(when, index);
    }
    let mut turns = 0;
    loop {
        turns += 1;
        let due = server.members.values().filter_map(|member| member.peer.poll_timeout()).min();
        let before = net.now();
        let Some(happening) = net.next(due) else { break };
        assert!(net.now() >= before);
        let now = net.now();
        // Settings of a nanosecond make as many turns as there are nanoseconds.
        if turns > 20_000 || now > when + Duration::from_secs(3600) {
            break;
        }
        let trouble = match happening {
            Happening::Server => {
                turn(&mut server, &mut net);
                continue;
            }
            Happening::Client(..) => continue,
            Happening::Planned(index) => &troubles[index].1,
        };
        let one = |number: &u8| ids.get(usize::from(*number) % ids.len().max(1)).copied();
        match trouble {
            Trouble::Connect { latency, jitter, rate } if ids.len() < 5 => {
                let path = Path::new(at(*latency)).jitter(at(*jitter)).rate((*rate).into());
                let id = net.connect(path, path);
                let peer = Liveness::new(config, seed ^ ids.len() as u64, now);
                server.members.insert(id, Member { peer, heard: 0, finished: false });
                ids.push(id);
            }
            Trouble::Connect { .. } => {}
            Trouble::Speak(of, bytes) => {
                if let Some(id) = one(of) {
                    let number = said.entry(id).or_default();
                    *number += 1;
                    net.to_server(id, Frame::Data(*number, usize::from(*bytes)));
                }
            }
            Trouble::Outage(of, from, lasts) => {
                if let Some(link) = one(of).and_then(|id| net.link_mut(id)) {
                    link.outage(now + at(*from), at(*lasts));
                }
            }
            Trouble::CutUp(of, from) => {
                if let Some(link) = one(of).and_then(|id| net.link_mut(id)) {
                    link.up.cut(now + at(*from));
                }
            }
            Trouble::CutDown(of, from) => {
                if let Some(link) = one(of).and_then(|id| net.link_mut(id)) {
                    link.down.cut(now + at(*from));
                }
            }
            Trouble::Stall(lasts) => net.stall(at(*lasts)),
            Trouble::Mute(of) => {
                if let Some(id) = one(of) {
                    net.set_answers(id, false);
                }
            }
            Trouble::Leave(of) => {
                if let Some(id) = one(of) {
                    net.to_server(id, Frame::Fin);
                }
            }
            Trouble::Close(of, code) => {
                if let Some(member) = one(of).and_then(|id| server.members.get_mut(&id)) {
                    member.peer.close(*code, now);
                }
            }
            Trouble::Probe(of) => {
                if let Some(member) = one(of).and_then(|id| server.members.get_mut(&id)) {
                    member.peer.probe(now);
                }
            }
        }
    }
});

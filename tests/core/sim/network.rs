//! Many clients and a server.

use std::collections::BTreeMap;
use std::time::Duration;

use liveness::sim::{ConnectionId, Frame, LinkProfile, Network, SimEvent};
use liveness::{Action, Config, Liveness, Reason, Timestamp};

const LATENCY: Duration = Duration::from_millis(40);
const PATH: LinkProfile = LinkProfile::new(LATENCY);

/// A server of machines, and everything that it was seen to do.
#[derive(Default)]
struct Server {
    members: BTreeMap<ConnectionId, Liveness>,
    offline: Vec<(Timestamp, ConnectionId, Reason)>,
    read: Vec<(Timestamp, ConnectionId, Frame<u32>)>,
    turns: Vec<Timestamp>,
}

impl Server {
    fn due(&self) -> Option<Timestamp> {
        self.members.values().filter_map(Liveness::poll_timeout).min()
    }

    fn join(&mut self, net: &mut Network<u32, &'static str>, config: Config) -> ConnectionId {
        let id = net.connect(PATH, PATH);
        self.members.insert(id, Liveness::new(config, 7, net.now()));
        id
    }

    fn turn(&mut self, net: &mut Network<u32, &'static str>) {
        let now = net.now();
        self.turns.push(now);
        while let Some((id, frame)) = net.read() {
            self.read.push((now, id, frame));
            self.members
                .get_mut(&id)
                .expect("no frame of a connection that was hung up")
                .handle(frame.event(), now);
        }
        for (id, peer) in &mut self.members {
            while let Some(action) = peer.poll(now) {
                if let Action::MarkOffline(reason) = action {
                    self.offline.push((now, *id, reason));
                }
                if let Some(frame) = Frame::from_action(action) {
                    net.to_client(*id, frame);
                }
            }
        }
        self.members.retain(|_, peer| !peer.is_finished());
    }

    /// Lives until the plan `end`, or until nothing happens any more. Returns what the clients saw, and the other plans.
    fn live(
        &mut self,
        net: &mut Network<u32, &'static str>,
    ) -> Vec<(Timestamp, SimEvent<u32, &'static str>)> {
        let mut seen = Vec::new();
        while let Some(event) = net.next_event(self.due()) {
            match event {
                SimEvent::Server => self.turn(net),
                SimEvent::Planned("end") => break,
                event @ (SimEvent::Client(..) | SimEvent::Planned(_)) => seen.push((net.now(), event)),
            }
            assert!(seen.len() + self.turns.len() < 10_000, "it never ends");
        }
        seen
    }
}

#[test]
fn clients_answer_pings_and_the_server_sees_when() {
    let (mut net, mut server) = (Network::new(7), Server::default());
    let config = Config::builder().jitter(0).build().unwrap();
    let ids = [server.join(&mut net, config), server.join(&mut net, config)];
    net.plan(Timestamp::from_secs(21), "end");
    assert_eq!(server.live(&mut net), []);
    let there = Timestamp::from_secs(20) + 2 * LATENCY;
    let read: Vec<_> = server.read.iter().map(|(now, id, _)| (*now, *id)).collect();
    assert_eq!(read, ids.map(|id| (there, id)));
    assert_eq!(server.members[&ids[0]].rtt().unwrap().latest, 2 * LATENCY);
}

#[test]
fn a_server_that_is_stopped_reads_everything_at_once_and_its_clients_live_on() {
    let (mut net, mut server) = (Network::new(7), Server::default());
    let id = server.join(&mut net, Config::DEFAULT);
    let at = Timestamp::from_secs;
    server.turn(&mut net);
    net.to_client(id, Frame::Data(1, 10));
    net.stall(Duration::from_secs(300));
    net.plan(at(100), "the client speaks");
    net.plan(at(400), "end");
    net.to_server(id, Frame::Data(2, 10));
    server.turns.clear();
    let seen = server.live(&mut net);
    assert_eq!(seen[0], (Timestamp::ZERO + LATENCY, SimEvent::Client(id, Frame::Data(1, 10))));
    assert_eq!(seen[1], (at(100), SimEvent::Planned("the client speaks")));
    assert_eq!(server.turns[0], at(300));
    assert_eq!(server.read[0], (at(300), id, Frame::Data(2, 10)));
    assert_eq!(server.offline, [], "nobody is dropped because the server slept");
}

#[test]
fn both_ends_say_goodbye_and_the_connection_is_forgotten() {
    let (mut net, mut server) = (Network::new(7), Server::default());
    let id = server.join(&mut net, Config::DEFAULT);
    server.turn(&mut net);
    net.to_server(id, Frame::Close(Some(1000)));
    let seen = server.live(&mut net);
    assert_eq!(server.offline, [(Timestamp::ZERO + LATENCY, id, Reason::PeerClosed(Some(1000)))]);
    let frames: Vec<_> = seen.iter().map(|(_, event)| *event).collect();
    // The client had closed, so it does not answer the echo. The server ends the connection after `close_timeout`.
    assert_eq!(server.read.len(), 1);
    assert_eq!(frames, [Frame::Close(Some(1000)), Frame::Fin].map(|frame| SimEvent::Client(id, frame)));
    assert_eq!(net.connections(), 0);
    assert!(net.link(id).is_none());
}

#[test]
fn a_browser_answers_a_close_once_and_the_server_hears_it() {
    let (mut net, mut server) = (Network::new(7), Server::default());
    let id = server.join(&mut net, Config::DEFAULT);
    server.turn(&mut net);
    net.to_client(id, Frame::Close(Some(1001)));
    net.to_client(id, Frame::Close(Some(1001)));
    let seen = server.live(&mut net);
    assert_eq!(seen.len(), 4, "two Closes, the echo of the answer, and the end: {seen:?}");
    let closes = server.read.iter().filter(|(_, _, frame)| *frame == Frame::Close(Some(1001)));
    assert_eq!(closes.count(), 1);
}

#[test]
fn a_client_that_is_cut_off_is_found_out_and_learns_nothing() {
    for cut_down_only in [false, true] {
        let (mut net, mut server) = (Network::new(7), Server::default());
        let id = server.join(&mut net, Config::DEFAULT);
        let cut = Timestamp::from_secs(100);
        net.plan(Timestamp::from_secs(1000), "end");
        let link = net.link_mut(id).unwrap();
        if cut_down_only {
            link.down.cut(cut)
        } else {
            link.cut(cut)
        }
        assert_eq!(server.live(&mut net), []);
        let [(now, _, Reason::PingTimeout)] = server.offline[..] else { panic!("{:?}", server.offline) };
        assert!(cut < now && now <= cut + Config::DEFAULT.detection_bound(Duration::ZERO) + 2 * LATENCY);
        // Until the page is loaded again.
        assert_eq!(net.connections(), 1);
        net.to_server(id, Frame::Fin);
        assert_eq!(net.connections(), 0);
    }
}

#[test]
fn a_client_that_does_not_answer_is_found_out_and_told() {
    let (mut net, mut server) = (Network::new(7), Server::default());
    let id = server.join(&mut net, Config::DEFAULT);
    net.set_answers(id, false);
    let seen = server.live(&mut net);
    let [(now, _, Reason::PingTimeout)] = server.offline[..] else { panic!("{:?}", server.offline) };
    assert_eq!(seen[0], (now + LATENCY, SimEvent::Client(id, Frame::Close(Some(3008)))));
    assert_eq!(seen[1].1, SimEvent::Client(id, Frame::Fin));
}

#[test]
fn who_has_hung_up_hears_and_says_nothing_more() {
    let mut net = Network::<u32>::new(7);
    let [server, client] = [(); 2].map(|()| net.connect(PATH, PATH));
    net.to_server(server, Frame::Data(1, 10));
    assert_eq!(net.next_event(None), Some(SimEvent::Server));
    // What has arrived and is not read is lost with the socket.
    net.to_client(server, Frame::Fin);
    net.to_client(server, Frame::Data(2, 10));
    assert_eq!(net.read(), None);
    net.to_server(client, Frame::Fin);
    net.to_client(client, Frame::Data(3, 10));
    let seen: Vec<_> = std::iter::from_fn(|| {
        let event = net.next_event(None)?;
        while net.read().is_some() {}
        Some(event)
    })
    .filter(|event| *event != SimEvent::Server)
    .collect();
    assert_eq!(seen, [SimEvent::Client(server, Frame::Fin)]);
}

#[test]
fn a_shorter_stall_does_not_end_a_longer_one() {
    let mut net = Network::<u32>::new(7);
    net.stall(Duration::from_secs(9));
    net.stall(Duration::from_secs(1));
    assert_eq!(net.next_event(Some(Timestamp::ZERO)), Some(SimEvent::Server));
    assert_eq!(net.now(), Timestamp::from_secs(9));
}

#[test]
fn plans_come_at_their_time_and_those_of_one_moment_in_order() {
    let mut net = Network::<(), u32>::new(7);
    for (second, plan) in [(9, 5), (3, 1), (3, 2), (9, 6), (3, 3), (5, 4)] {
        net.plan(Timestamp::from_secs(second), plan);
    }
    let mut seen = Vec::new();
    while let Some(SimEvent::Planned(plan)) = net.next_event(None) {
        seen.push((net.now().as_nanos() / 1_000_000_000, plan));
    }
    assert_eq!(seen, [(3, 1), (3, 2), (3, 3), (5, 4), (9, 5), (9, 6)]);
    assert_eq!(net.next_event(None), None);
}

#[test]
fn a_link_that_is_mended_or_broken_in_between_is_looked_at_anew() {
    let mut net = Network::<u32>::new(7);
    let id = net.connect(PATH, PATH);
    net.to_client(id, Frame::Data(1, 10));
    net.link_mut(id).unwrap().outage(Timestamp::ZERO, Duration::from_secs(9));
    net.link_mut(id).unwrap().down.send(Frame::Data(2, 10), 10, Timestamp::ZERO);
    for number in [1, 2] {
        assert_eq!(net.next_event(None), Some(SimEvent::Client(id, Frame::Data(number, 10))));
        assert_eq!(net.now(), Timestamp::from_secs(9) + LATENCY);
    }
}

#[test]
fn a_frame_knows_its_size_on_the_wire() {
    let data = [0, 125, 126, 65_535, 65_536].map(|len| Frame::Data((), len).bytes() - len);
    assert_eq!(data, [2, 2, 4, 4, 10]);
    let rest =
        [Frame::Ping([0; 8]), Frame::Pong([0; 8]), Frame::Close(Some(1000)), Frame::Close(None), Frame::Fin];
    assert_eq!(rest.map(|frame: Frame<()>| frame.bytes()), [10, 10, 4, 2, 0]);
}

//! The events and fields of `Traced`, by the names that people's dashboards use.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use liveness::{Action, Config, Event, Liveness, Observed, Suspicion, Timestamp, Traced};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

/// Writes each event as a line: level, span, fields. Counts how often a span is entered.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>, Arc<AtomicUsize>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_enter(&self, _: &tracing::span::Id, _: Context<'_, S>) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut lines = self.0.lock().unwrap();
        let span = context.event_span(event).map_or("none", |span| span.name());
        assert_eq!(event.metadata().target(), "liveness");
        write!(lines, "{} {span}:", event.metadata().level()).unwrap();
        event.record(&mut Fields(&mut lines));
        lines.push('\n');
    }
}

#[test]
fn a_life_is_told_under_stable_names() {
    let lines = Lines::default();
    let subscriber = Registry::default().with(lines.clone());
    tracing::subscriber::with_default(subscriber, || {
        let config = Config::builder()
            .interval(Duration::from_secs(5))
            .timeout(Duration::from_secs(4))
            .suspicion(Suspicion::After(Duration::from_secs(2)))
            .jitter(0)
            .build()
            .unwrap();
        let mut peer = Observed::new(Liveness::new(config, 7, Timestamp::ZERO));
        peer.observe(Traced::new(), Timestamp::ZERO);
        let poll = |peer: &mut Observed, millis| {
            let mut payload = None;
            while let Some(action) = peer.poll(Timestamp::from_millis(millis)) {
                if let Action::SendPing(ping) = action {
                    payload = Some(ping);
                }
            }
            payload
        };
        poll(&mut peer, 0);
        let ping = poll(&mut peer, 5_000).unwrap();
        peer.handle(Event::Pong(ping.as_bytes()), Timestamp::from_millis(5_040));
        for millis in [10_000, 12_000, 20_000, 22_000, 24_000, 24_010, 29_010] {
            poll(&mut peer, millis);
        }
    });
    assert_eq!(
        lines.0.lock().unwrap().as_str(),
        "INFO liveness: message=online survived=0\n\
         DEBUG liveness: message=ping ping=1\n\
         DEBUG liveness: message=answered answered=1 rtt_us=40000 srtt_us=40000 rttvar_us=20000 rtt_us_min=40000\n\
         DEBUG liveness: message=ping ping=2\n\
         INFO liveness: message=suspect ping=2 report=no answer to ping 2, handed out 2.0 s ago; last heard 6.9 s ago \
         (pong); 1 answered, srtt 40 ms\n\
         WARN liveness: message=stall forgiven stalls_forgiven=1\n\
         DEBUG liveness: message=ping ping=3\n\
         INFO liveness: message=offline reason=ping-timeout report=no answer to ping 3, handed out 4.0 s ago; last heard \
         18.9 s ago (pong); 1 answered, srtt 40 ms\n\
         DEBUG liveness: message=close code=3008\n\
         DEBUG liveness: message=disconnect pings=3 answered=1 stalls_forgiven=1 survived=0\n"
    );
    // A poll without an action enters no span.
    assert_eq!(lines.1.load(Ordering::Relaxed), lines.0.lock().unwrap().lines().count());
}

#[test]
fn who_joins_late_tells_what_happens_from_there_on() {
    let lines = Lines::default();
    let subscriber = Registry::default().with(lines.clone());
    tracing::subscriber::with_default(subscriber, || {
        let config = Config::builder().interval(Duration::from_secs(5)).jitter(0).build().unwrap();
        let mut peer = Observed::new(Liveness::new(config, 7, Timestamp::ZERO));
        for second in [0, 5] {
            while let Some(action) = peer.poll(Timestamp::from_secs(second)) {
                if let Action::SendPing(ping) = action {
                    peer.handle(Event::Pong(ping.as_bytes()), Timestamp::from_secs(second));
                }
            }
        }
        peer.observe(Traced::new(), Timestamp::from_secs(6));
        peer.handle(Event::Data, Timestamp::from_secs(6));
        peer.handle(Event::Eof, Timestamp::from_secs(7));
        while peer.poll(Timestamp::from_secs(7)).is_some() {}
    });
    assert_eq!(
        lines.0.lock().unwrap().as_str(),
        "INFO liveness: message=offline reason=transport-closed report=the transport was closed; last heard 1.0 s ago (data); \
         1 answered, srtt 0 us\n\
         DEBUG liveness: message=disconnect pings=1 answered=1 stalls_forgiven=0 survived=0\n"
    );
}

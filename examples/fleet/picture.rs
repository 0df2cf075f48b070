//! What the screen shows.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use liveness::Timestamp;
use terminal_size::{Height, Width, terminal_size};

use crate::simulation::{Counts, Group, Simulation, bound};
use crate::{DARK, Ends, FLOOD, MUTE, SCRIPT, SLEEP, STALL, Scene};

impl Scene {
    pub(crate) fn title(self, sim: &Simulation) -> String {
        let share = |of: usize| grouped(sim.peers.len() as u64 / of as u64);
        match self {
            Self::Herd => "all connect at one instant".into(),
            Self::Dark => format!("a rack of {} goes dark", share(DARK)),
            Self::Mute => format!("{} go mute, but talk", share(MUTE)),
            Self::Flood => format!("{} flood us with pings", share(FLOOD)),
            Self::Stall => format!("the server stalls for {} s", STALL.as_secs()),
            Self::Sleep => "the host sleeps for 3 hours".into(),
            Self::Probe => "a new network: probe_all".into(),
            Self::Close => "the server ends: close_all".into(),
        }
    }

    /// The outcome of a scene so far.
    fn outcome(self, sim: &Simulation) -> String {
        match self {
            Self::Herd => {
                let (busiest, all) = (sim.spread.iter().max(), sim.spread.iter().sum::<u32>());
                let share = f64::from(*busiest.unwrap_or(&0)) * 100.0 / f64::from(all.max(1));
                format!("busiest hundredth: {share:.2} % of first pings")
            }
            Self::Dark => sim.dark.tell(),
            Self::Mute => sim.mute.tell(),
            Self::Flood => sim.flood.tell(),
            Self::Stall | Self::Sleep => format!("{} dropped wrongly until now", grouped(sim.wrong)),
            Self::Probe => {
                let millis = sim.probe_took.as_secs_f64() * 1e3;
                format!("{} pinged at once, in {millis:.0} ms", grouped(sim.probed))
            }
            Self::Close => format!("{} closed, {} left", grouped(sim.verdicts[2]), sim.fleet.len()),
        }
    }
}

/// What is counted and measured. Rates and costs count from the last picture, everything else from the beginning.
fn counters(sim: &Simulation, (last, since): &(Counts, Duration), ends: Ends) -> [String; 8] {
    let (counts, awake) = (&sim.counts, sim.awake());
    let real = sim.clock.now().saturating_duration_since(Timestamp::ZERO).as_secs_f64();
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    let elapsed = awake.saturating_sub(*since).as_secs_f64();
    let rate = |now: u64, before: u64| {
        grouped(if elapsed > 0.0 { ((now - before) as f64 / elapsed) as u64 } else { 0 })
    };
    let pings = rate(counts.pings, last.pings);
    let (answers, messages) = (rate(counts.answers, last.answers), rate(counts.messages, last.messages));
    let per_event = (counts.busy - last.busy).as_nanos() / u128::from((counts.events - last.events).max(1));
    let next = sim.fleet.poll_timeout().map(|next| millis(next.saturating_duration_since(sim.now)));
    let next = next.map_or("never".into(), |millis| format!("in {millis:.1} ms"));
    let bytes = sim.bytes.map_or("? bytes".into(), |bytes| format!("{bytes} bytes"));
    let asleep = if sim.slept > Duration::ZERO { " and 3 h asleep" } else { "" };
    let (online, suspect) = (grouped(sim.online), grouped(sim.suspect));
    let offline = grouped(sim.verdicts.iter().sum::<u32>());
    let [timeout, flood, local, other] = sim.verdicts.map(grouped);
    let (longest, many) = (millis(counts.longest_poll) * 1e3, grouped(counts.polls));
    let (behind, most) = (millis(sim.behind), millis(sim.most_behind));
    [
        format!("{} connections, one Fleet, one thread", grouped(sim.peers.len() as u64)),
        match ends {
            Ends::Real(limit) => {
                format!(
                    "time      {:.1} s simulated{asleep}, {real:.1} of {} s real",
                    awake.as_secs_f64(),
                    limit.as_secs()
                )
            }
            Ends::Simulated(limit) => {
                format!(
                    "time      {:.1} of {} s simulated{asleep}, {real:.1} s real",
                    awake.as_secs_f64(),
                    limit.as_secs()
                )
            }
        },
        format!("status    online {online}  suspect {suspect}  offline so far {offline}"),
        format!("verdicts  ping-timeout {timeout}  ping-flood {flood}  local-closed {local}  other {other}"),
        format!("a second  pings {pings}  answers {answers}  messages {messages}"),
        format!("cost      {per_event} ns an event  {bytes} a connection"),
        format!("polls     longest {longest:.0} us  over 20 us: {} of {many}", grouped(counts.long_polls)),
        format!("wheel     next deadline {next}  behind {behind:.1} ms, at most {most:.1} ms"),
    ]
}

/// What the simulation looks like at this moment: the counters, the strip of pings a second, the script.
fn picture(sim: &Simulation, last: &(Counts, Duration), ends: Ends, width: usize) -> Vec<(Style, String)> {
    let (plain, bold, dim) = (Style::new(), Style::new().bold(), Style::new().dimmed());
    let mut lines: Vec<_> = counters(sim, last, ends).into_iter().map(|line| (plain, line)).collect();
    lines[0].0 = bold;
    let seconds = &sim.pings_by_second;
    let first = seconds.len().saturating_sub(width.saturating_sub(11));
    let most = seconds[first..].iter().max().copied().unwrap_or(0).max(1);
    let bars: String = seconds[first..].iter().map(|pings| bar(*pings, most)).collect();
    let marks: String = (first..seconds.len()).map(|second| mark(sim, second)).collect();
    lines.push((AnsiColor::Cyan.on_default(), format!("pings     {bars}")));
    lines.push((AnsiColor::Magenta.on_default(), format!("          {marks}")));
    for (number, (scene, _)) in SCRIPT.iter().enumerate() {
        let began = sim.began[number].is_some();
        let outcome = if began { scene.outcome(sim) } else { String::new() };
        let past = if began { plain } else { dim };
        let style = if number + 1 == sim.scene { bold } else { past };
        let line = format!("{} {:28} {outcome}", number + 1, scene.title(sim));
        lines.push((style, line.trim_end().to_owned()));
    }
    lines
}

fn bar(pings: u32, most: u32) -> char {
    ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][(u64::from(pings) * 7 / u64::from(most)) as usize]
}

/// The number of the scene that began in this second.
fn mark(sim: &Simulation, second: usize) -> char {
    let is_here = |at: Timestamp| {
        let slept = if at >= Timestamp::ZERO + SLEEP { SLEEP } else { Duration::ZERO };
        at.saturating_sub(slept).as_nanos() / 1_000_000_000 == second as u64
    };
    let number = sim.began.iter().position(|at| at.is_some_and(is_here));
    number.and_then(|number| char::from_digit(number as u32 + 1, 10)).unwrap_or(' ')
}

/// Shows the picture: again and again in a terminal, or a line now and then elsewhere.
pub(crate) struct Screen {
    ends: Ends,
    /// The number of columns, if it is a terminal with room.
    width: Option<usize>,
    /// Whether to use colours. Its user may want none: <https://no-color.org>.
    coloured: bool,
    /// How many lines to go up.
    drawn: usize,
    scenes: usize,
    shown_at: Timestamp,
    last: (Counts, Duration),
}

impl Screen {
    pub(crate) fn new(ends: Ends) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let fits = terminal_size().filter(|(Width(width), Height(height))| *width >= 80 && *height >= 21);
        let width =
            fits.filter(|_| io::stdout().is_terminal() && !dumb).map(|(Width(width), _)| usize::from(width));
        let coloured = std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
        Self {
            ends,
            width,
            coloured,
            drawn: 0,
            scenes: 0,
            shown_at: Timestamp::ZERO,
            last: Default::default(),
        }
    }

    /// Updates the picture when its time has come, or `anyway`, at the end.
    pub(crate) fn show(&mut self, sim: &Simulation, anyway: bool) -> io::Result<()> {
        let now = sim.clock.now();
        let news = sim.scene > self.scenes;
        let pause = if self.width.is_some() { Duration::from_millis(100) } else { Duration::from_secs(2) };
        if now < self.shown_at + pause && !anyway && !(news && self.width.is_none()) {
            return Ok(());
        }
        let lines = picture(sim, &self.last, self.ends, self.width.unwrap_or(80));
        let mut out = io::stdout().lock();
        if let Some(width) = self.width {
            if self.drawn > 0 {
                write!(out, "\x1b[{}A", self.drawn)?;
            }
            for (style, line) in &lines {
                let line: String = line.chars().take(width - 1).collect();
                let style = if self.coloured { *style } else { Style::new() };
                writeln!(out, "{style}{line:0$}{style:#}", width - 1)?;
            }
            self.drawn = lines.len();
        } else {
            let at = sim.awake().as_secs_f64();
            if news {
                writeln!(out, "{at:6.1} s  {}", SCRIPT[sim.scene - 1].0.title(sim))?;
            }
            writeln!(out, "{at:6.1} s  {}  {}", lines[2].1, lines[5].1)?;
            if anyway {
                lines.iter().for_each(|(_, line)| drop(writeln!(out, "{line}")));
            }
        }
        self.scenes = sim.scene;
        self.shown_at = now;
        self.last = (sim.counts, sim.awake());
        out.flush()
    }
}

impl Group {
    pub(crate) fn tell(&self) -> String {
        let (found, slowest, bound) =
            (grouped(self.found), self.slowest.as_secs_f64(), bound().as_secs_f64());
        format!("{found} of {} found, slowest {slowest:.3} of {bound:.3} s", grouped(self.size))
    }
}

/// Groups of thousands.
pub(crate) fn grouped(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

//! A changing network. As long as `LIVENESS_SOAK` says (in seconds; ten minutes are 600), one thing after another happens
//! to the pages of a program, in an order that is drawn from `LIVENESS_SOAK_SEED`, while people go on using them.
//! Afterwards everything works again, and the test that called this checks what is left.
//!
//! ```text
//! let mut soak = Soak::open(&browser, &program, "", 3);
//! soak.run(Some(&mut program), |page, index, rng| { page.write("#words", "hello").press("#words", Key::Enter); });
//! soak.pages()[0].eventually("everybody is here", |page| page.texts(".people .name").len() == 3);
//! ```
//!
//! A test that fails prints its seed and what happened.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use liveness::sim::Rng;
use liveness::{Action, Clock, Timestamp};

use crate::browser::{Browser, Page};
use crate::proxy::{Proxy, Way};
use crate::stage::Stage;
use liveness_testing::Program;
use liveness_testing::eventually;
use liveness_testing::raw_peer::{millis, sleep};

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[usize::try_from(rng.below(from.len() as u64)).unwrap()]
}

fn between(rng: &mut Rng, least: Duration, most: Duration) -> Duration {
    least + rng.duration(most - least)
}

/// What can happen to one page, or to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    /// The browser freezes the tab.
    Freeze,
    /// The tab's process is stopped.
    Stop,
    /// Nothing gets through.
    Cut,
    /// Nothing gets to the server, or nothing to the page.
    HalfCut,
    /// The network is slow.
    Slow,
    /// The connection is dead, and nobody is told.
    Forget,
    /// The connection is reset.
    Reset,
    /// The page is reloaded.
    Reload,
    /// The program is stopped for a while.
    Halt,
    /// The program is killed and started again.
    Restart,
}

impl Trouble {
    const OF_A_PAGE: [Self; 8] = [
        Self::Freeze,
        Self::Stop,
        Self::Cut,
        Self::HalfCut,
        Self::Slow,
        Self::Forget,
        Self::Reset,
        Self::Reload,
    ];
    const OF_THE_PROGRAM: [Self; 2] = [Self::Halt, Self::Restart];
}

/// A page behind its own network, and its current trouble with its start and its end.
struct Link {
    page: Page,
    proxy: Proxy,
    trouble: Option<(Trouble, Timestamp)>,
}

impl Link {
    fn suffer(&mut self, trouble: Trouble, until: Timestamp, rng: &mut Rng) {
        match trouble {
            Trouble::Freeze => drop(self.page.freeze()),
            Trouble::Stop => drop(self.page.stop()),
            Trouble::Cut => self.proxy.cut(Way::Both),
            Trouble::HalfCut => self.proxy.cut(pick(rng, &[Way::ToServer, Way::ToPage])),
            Trouble::Slow => self.proxy.slow(between(rng, millis(50), millis(500))),
            Trouble::Forget => self.proxy.forget(),
            Trouble::Reset => self.proxy.reset(),
            Trouble::Reload => drop(self.page.reload()),
            Trouble::Halt | Trouble::Restart => unreachable!("these happen to the program"),
        }
        self.trouble = Some((trouble, until));
    }

    fn recover(&mut self) {
        match self.trouble.take() {
            Some((Trouble::Freeze, _)) => drop(self.page.thaw()),
            Some((Trouble::Stop, _)) => drop(self.page.go_on()),
            _ => self.proxy.heal(),
        }
    }

    /// Whether its user could use it. A page that stands still takes no keys.
    fn is_awake(&self) -> bool {
        !matches!(self.trouble, Some((Trouble::Freeze | Trouble::Stop, _)))
    }
}

/// Some pages of one program, and what will happen to them.
pub(crate) struct Soak {
    rng: Rng,
    duration: Duration,
    links: Vec<Link>,
    happened: BTreeMap<Trouble, u64>,
    halted: Option<Timestamp>,
}

impl Soak {
    /// Opens this many pages, each in its own browser and behind its own network. `path` is added to the address.
    #[track_caller]
    pub(crate) fn open(browser: &Browser, server: SocketAddr, path: &str, pages: usize) -> Self {
        let asked = |name: &str, usual: u64| match std::env::var(name) {
            Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")),
            Err(_) => usual,
        };
        let (seconds, seed) = (asked("LIVENESS_SOAK", 25), asked("LIVENESS_SOAK_SEED", 1));
        println!("LIVENESS_SOAK={seconds} LIVENESS_SOAK_SEED={seed}");
        let links = std::iter::repeat_with(|| {
            let proxy = Proxy::start(server);
            let page = browser.page(proxy.url() + path);
            Link { page, proxy, trouble: None }
        });
        Self {
            rng: Rng::new(seed),
            duration: Duration::from_secs(seconds),
            links: links.take(pages).collect(),
            happened: BTreeMap::new(),
            halted: None,
        }
    }

    pub(crate) fn pages(&self) -> Vec<&Page> {
        self.links.iter().map(|link| &link.page).collect()
    }

    /// Lets one thing after another happen until the time is up, then ends every trouble. If the program is given, it is
    /// halted and restarted too. In between, `act` uses a page that is awake, although its network may be bad.
    #[track_caller]
    pub(crate) fn run(
        &mut self,
        mut program: Option<&mut Program>,
        mut act: impl FnMut(&Page, usize, &mut Rng),
    ) {
        let clock = Clock::new();
        let end = clock.now() + self.duration;
        let mut next = clock.now();
        let (mut acts, enough) = (0, self.duration.as_secs() / 5);
        // On a slow machine it takes longer until enough has happened.
        while clock.now() < end || self.troubles() < enough || acts < enough {
            assert!(clock.now() < end + 10 * self.duration, "it was too quiet: {:?}", self.happened);
            self.recover(clock.now(), program.as_deref());
            if clock.now() >= next {
                self.strike(&clock, program.as_deref_mut());
                next = clock.now() + between(&mut self.rng, millis(200), millis(2500));
            }
            let awake: Vec<usize> =
                (0..self.links.len()).filter(|&index| self.links[index].is_awake()).collect();
            if !awake.is_empty() {
                let index = pick(&mut self.rng, &awake);
                act(&self.links[index].page, index, &mut self.rng);
                acts += 1;
            }
            sleep(between(&mut self.rng, millis(50), millis(400)));
        }
        self.recover(Timestamp::MAX, program.as_deref());
        println!("what happened: {:?}", self.happened);
    }

    fn troubles(&self) -> u64 {
        self.happened.values().sum()
    }

    /// Ends every trouble whose time is over.
    fn recover(&mut self, now: Timestamp, program: Option<&Program>) {
        for link in &mut self.links {
            if link.trouble.is_some_and(|(_, until)| until <= now) {
                link.recover();
            }
        }
        if self.halted.is_some_and(|until| until <= now) {
            self.halted = None;
            program.expect("it was halted").thaw();
        }
    }

    /// Chooses a visitor and a fault, and lets it happen.
    fn strike(&mut self, clock: &Clock, program: Option<&mut Program>) {
        let until = clock.now() + between(&mut self.rng, millis(300), millis(6000));
        let seconds = |moment: Timestamp| moment.as_duration().as_secs_f64();
        let when = format!("{:.1} to {:.1}:", seconds(clock.now()), seconds(until));
        let well = (0..self.links.len()).filter(|&index| self.links[index].trouble.is_none());
        let well: Vec<usize> = well.collect();
        if let Some(program) = program
            && self.halted.is_none()
            && self.rng.one_in(6)
        {
            let trouble = pick(&mut self.rng, &Trouble::OF_THE_PROGRAM);
            println!("{when} {trouble:?}");
            *self.happened.entry(trouble).or_default() += 1;
            if trouble == Trouble::Halt {
                program.freeze();
                self.halted = Some(until);
            } else {
                program.restart();
            }
        } else if !well.is_empty() {
            let index = pick(&mut self.rng, &well);
            let trouble = pick(&mut self.rng, &Trouble::OF_A_PAGE);
            // If the page cannot be loaded, the browser shows its own error page instead.
            if trouble == Trouble::Reload && self.halted.is_some() {
                return;
            }
            println!("{when} {trouble:?} of page {index}");
            *self.happened.entry(trouble).or_default() += 1;
            self.links[index].suffer(trouble, until, &mut self.rng);
        }
    }
}

#[test]
fn the_stage_is_as_it_should_be_after_a_changing_network() {
    let stage = Stage::start(&["--interval", "500ms", "--timeout", "1s"]);
    let browser = Browser::open();
    let mut soak = Soak::open(&browser, stage.address, "?watch", 3);
    let mut words = 0;
    soak.run(None, |page, index, _| {
        words += 1;
        page.clear("#words").write("#words", &format!("{index} says {words}")).click("#say button");
    });
    for (index, page) in soak.pages().into_iter().enumerate() {
        page.eventually("it is connected", |page| page.text("#link") == "Connected");
        let heard = format!("The server has heard: {index} is there");
        page.eventually("it is heard", |page| {
            // Say it again and again, because what is sent before a link is found dead is lost.
            page.clear("#words").write("#words", &format!("{index} is there")).click("#say button");
            page.text("#heard") == heard
        });
    }
    eventually("exactly the three are online", || {
        let lives = stage.lives();
        lives.iter().filter(|life| !life.contains(&Action::Disconnect)).count() == 3
    });
    assert!(words > 10);
}

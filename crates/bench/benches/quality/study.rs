//! The comparison: every rule, in every world, at the same mean detection times.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use liveness_quality::{FAMILIES, Family, Make, SUSPICIONS, Score, WORLDS, World};

/// Mean detection times in the first world, in seconds. All rules are set to these.
pub(crate) const TARGETS: [f64; 6] = [12.0, 13.0, 15.0, 20.0, 34.0, 45.0];

/// The one that the tables show. It is that of this crate's defaults.
pub(crate) const SHOWN: usize = 4;

/// The longest setting that is tried, in seconds.
const LEAST: f64 = 0.5;
const MOST: f64 = 200.0;

pub(crate) struct Study {
    /// A setting for each family and target; `None` if no setting is as quick.
    pub(crate) settings: Vec<Vec<Option<f64>>>,
    /// By world, family and target.
    pub(crate) scores: Vec<Vec<Vec<Option<Score>>>>,
    /// By world of `judging_worlds` and kind of suspicion, at the timeout of the shown target.
    pub(crate) doubts: Vec<Vec<Score>>,
    /// The seed of the lives.
    pub(crate) seed: u64,
}

impl Study {
    /// `hours` of a live connection in each cell.
    pub(crate) fn run(seed: u64, hours: f64) -> Self {
        let settings = in_parallel(FAMILIES.len() * TARGETS.len(), |cell| {
            calibrated(&FAMILIES[cell / TARGETS.len()], TARGETS[cell % TARGETS.len()])
        });
        let settings: Vec<Vec<Option<f64>>> = settings.chunks(TARGETS.len()).map(<[_]>::to_vec).collect();
        let per_world = FAMILIES.len() * TARGETS.len();
        let mut scores = in_parallel(WORLDS.len() * per_world, |cell| {
            let (world, cell) = (&WORLDS[cell / per_world], cell % per_world);
            let (family, target) = (cell / TARGETS.len(), cell % TARGETS.len());
            let x = if world.keepalive {
                (FAMILIES[family].keeps_alive && target == SHOWN).then_some(f64::INFINITY)?
            } else {
                settings[family][target]?
            };
            Some(score(world, FAMILIES[family].make, x, seed, hours))
        })
        .into_iter();
        let scores = WORLDS
            .iter()
            .map(|_| FAMILIES.iter().map(|_| scores.by_ref().take(TARGETS.len()).collect()).collect())
            .collect();
        let timeout = settings[0][SHOWN].expect("ours can be calibrated");
        let judging: Vec<&World> = judging_worlds().collect();
        let doubts = in_parallel(judging.len() * SUSPICIONS.len(), |cell| {
            let (world, suspicion) = (judging[cell / SUSPICIONS.len()], SUSPICIONS[cell % SUSPICIONS.len()]);
            score(world, suspicion.1, timeout, seed, hours)
        });
        let doubts = doubts.chunks(SUSPICIONS.len()).map(<[_]>::to_vec).collect();
        Self { settings, scores, doubts, seed }
    }

    /// All of them.
    pub(crate) fn hours(&self) -> f64 {
        let scores = self.scores.iter().flatten().flatten().flatten().chain(self.doubts.iter().flatten());
        scores.map(|score| score.days * 24.0).sum()
    }

    /// Our mistakes without an excuse: the world, the family, the target and the number.
    pub(crate) fn inexcusable(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (world, rows) in WORLDS.iter().zip(&self.scores).filter(|(world, _)| world.fair) {
            for (family, row) in FAMILIES.iter().zip(rows).filter(|(family, _)| family.is_default()) {
                for (target, score) in TARGETS.iter().zip(row) {
                    let mistakes = score.as_ref().map_or(0, |score| score.mistakes);
                    if mistakes > 0 {
                        found.push(format!("{}, {} at {target} s: {mistakes}", world.name, family.name));
                    }
                }
            }
        }
        found
    }

    /// Worlds in which a mistake is the rule's own, and in which some rule that receives pongs makes one. Here ours can
    /// fail.
    pub(crate) fn telling(&self) -> Vec<&'static str> {
        let worlds = WORLDS.iter().zip(&self.scores).filter(|(world, rows)| {
            let others = FAMILIES.iter().zip(*rows).filter(|(family, _)| !family.ours && family.hears_pongs);
            world.fair && others.flat_map(|(_, row)| row.iter().flatten()).any(|score| score.mistakes > 0)
        });
        worlds.map(|(world, _)| world.name).collect()
    }

    /// Our settings that another rule beats beyond chance: it closes fewer live peers *and* finds the dead sooner.
    /// Settings that another setting of `liveness` matches are left out.
    pub(crate) fn beaten(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (world, rows) in WORLDS.iter().zip(&self.scores) {
            let ours: Vec<Point<'_>> = points(rows).filter(|point| point.family.is_default()).collect();
            for theirs in points(rows).filter(|point| !point.family.ours) {
                let matched = ours.iter().any(|point| point.score.matches(theirs.score));
                if let Some(beaten) = ours.iter().find(|point| !matched && theirs.score.beats(point.score)) {
                    found.push(format!("{}: {} by {}", world.name, beaten.says(), theirs.says()));
                }
            }
        }
        found
    }
}

/// The worlds in which a rule must give a verdict.
pub(crate) fn judging_worlds() -> impl Iterator<Item = &'static World> {
    WORLDS.iter().filter(|world| !world.keepalive)
}

/// A rule at one setting in one world.
struct Point<'a> {
    family: &'static Family,
    target: f64,
    score: &'a Score,
}

impl Point<'_> {
    fn says(&self) -> String {
        format!(
            "{} at {} s ({:.2} closes a day, {:.1} s)",
            self.family.name,
            self.target,
            self.score.mistakes_a_day().mean,
            self.score.detection().unwrap_or(f64::NAN)
        )
    }
}

fn points(rows: &[Vec<Option<Score>>]) -> impl Iterator<Item = Point<'_>> {
    FAMILIES.iter().zip(rows).flat_map(|(family, row)| {
        let scores = TARGETS.into_iter().zip(row);
        scores.filter_map(move |(target, score)| Some(Point { family, target, score: score.as_ref()? }))
    })
}

fn score(world: &World, make: Make, x: f64, seed: u64, hours: f64) -> Score {
    let lives = (hours * 3600.0 / world.life).ceil() as u64;
    Score::of(world, |seed, now| make(x, seed, now), seed, lives)
}

/// The setting with which this family finds the death of an idle peer after `target` seconds on average.
fn calibrated(family: &Family, target: f64) -> Option<f64> {
    const LIVES: u64 = 200;
    if !family.hears_pongs {
        // It would close every idle peer, so its time can only be counted from the last message on.
        return Some(target);
    }
    let quiet = World { life: 600.0, ..WORLDS[0] };
    let score = |x| Score::of(&quiet, |seed, now| (family.make)(x, seed, now), 0, LIVES);
    let detection = |x| score(x).detection().unwrap_or(f64::INFINITY);
    let (mut least, mut most) = (LEAST, MOST);
    for _ in 0..16 {
        let middle = f64::midpoint(least, most);
        if detection(middle) < target {
            least = middle;
        } else {
            most = middle;
        }
    }
    // A setting that closes live peers does not count.
    let found = score(most);
    let reached = found.detection().is_some_and(|seconds| (seconds - target).abs() < 0.5);
    (reached && found.mistakes == 0).then_some(most)
}

/// Runs all cells on all cores, in any order. Each depends only on its number.
fn in_parallel<T: Send>(cells: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let cell = next.fetch_add(1, Ordering::Relaxed);
                    if cell >= cells {
                        break;
                    }
                    let result = work(cell);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((cell, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(cell, _)| *cell);
    done.into_iter().map(|(_, result)| result).collect()
}

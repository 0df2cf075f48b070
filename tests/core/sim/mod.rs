//! The simulated clock, link, pair and network.

mod network;
mod one_way;
mod pair;

use liveness::sim::Rng;

#[test]
fn random_numbers_are_those_of_splitmix64_on_every_machine_and_in_every_version() {
    // The outputs that were published with the generator, for this seed.
    let mut rng = Rng::new(1_234_567);
    let numbers = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
    assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}

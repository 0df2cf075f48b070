//! The simulated clock, wire, pair and network.

mod network;
mod pair;
mod wire;

use liveness::sim::Dice;

#[test]
fn dice_fall_as_splitmix64_on_every_machine_and_in_every_version() {
    // The outputs published with the generator, for this seed.
    let mut dice = Dice::new(1_234_567);
    let rolls = [dice.roll(), dice.roll(), dice.roll()];
    assert_eq!(rolls, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}

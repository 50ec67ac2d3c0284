//! The seeded random numbers.

use boxoffice_testkit::rng::SeededRng;
use rand::RngExt;

#[test]
fn same_seed_gives_the_same_numbers() {
    let numbers = |seed| {
        let mut rng = SeededRng::from_seed(seed);
        (0..10).map(|_| rng.random_range(0..1000)).collect::<Vec<u32>>()
    };
    assert_eq!(numbers(7), numbers(7));
    assert_ne!(numbers(7), numbers(8));
}

//! Random numbers that can be had again: the seed is printed when a test fails, and `BOXOFFICE_SEED` sets it.

use std::ops::{Deref, DerefMut};

use rand::SeedableRng;
use rand::rngs::StdRng;

/// A `StdRng` that prints its seed if it is dropped while the thread panics.
pub struct SeededRng {
    seed: u64,
    rng: StdRng,
}

impl SeededRng {
    /// From the number in `BOXOFFICE_SEED`, else from a new random seed.
    pub fn new() -> Self {
        match std::env::var("BOXOFFICE_SEED") {
            Ok(text) => Self::from_seed(text.parse().expect("BOXOFFICE_SEED should be a number from 0 to 2^64 - 1")),
            Err(_) => Self::from_seed(rand::random()),
        }
    }

    /// From `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self { seed, rng: StdRng::seed_from_u64(seed) }
    }

    /// The seed it began with.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl Default for SeededRng {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for SeededRng {
    type Target = StdRng;

    fn deref(&self) -> &StdRng {
        &self.rng
    }
}

impl DerefMut for SeededRng {
    fn deref_mut(&mut self) -> &mut StdRng {
        &mut self.rng
    }
}

impl Drop for SeededRng {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat this sequence: BOXOFFICE_SEED={}", self.seed);
        }
    }
}

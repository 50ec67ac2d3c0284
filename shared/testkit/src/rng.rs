//! Repeatable random numbers: a failing test prints its seed, and `BOXOFFICE_SEED` sets it.

use std::ops::{Deref, DerefMut};

use rand::SeedableRng;
use rand::rngs::StdRng;

/// A `StdRng` that prints its seed when it is dropped during a panic.
pub struct SeededRng {
    seed: u64,
    rng: StdRng,
}

impl SeededRng {
    /// Uses the seed in `BOXOFFICE_SEED`, or a random one if that is unset.
    pub fn new() -> Self {
        match std::env::var("BOXOFFICE_SEED") {
            Ok(text) => Self::from_seed(text.parse().expect("BOXOFFICE_SEED should be a number from 0 to 2^64 - 1")),
            Err(_) => Self::from_seed(rand::random()),
        }
    }

    /// Uses this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self { seed, rng: StdRng::seed_from_u64(seed) }
    }

    /// The initial seed.
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

//! Lays out the card (to come).
fn main() {}

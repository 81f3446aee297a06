//! Progress of long work on standard error: a bar where that is a terminal,
//! a line for each step elsewhere.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lines;
use crate::backup::{Progress, Work};
use crate::chip::Partition;
use crate::flash::{BlockState, Step, Watch};

/// Columns of the bar.
const WIDTH: u64 = 30;
/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// A bar for reading and for flashing; it clears itself when it is dropped.
pub struct Bar {
    terminal: bool,
    now: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    step: String,
    drawn: Option<Instant>,
}

impl Bar {
    /// A bar for this process.
    pub fn new() -> Bar {
        Bar { terminal: io::stderr().is_terminal(), now: Mutex::default() }
    }
}

impl Progress for Bar {
    fn at(&self, work: Work, done: u64, total: u64) {
        self.draw(work.words(), done, total);
    }
}

impl Bar {
    fn draw(&self, step: &str, done: u64, total: u64) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = now.step != step;
        if fresh {
            step.clone_into(&mut now.step);
            now.drawn = None;
        }
        // Without standard error there is no progress bar; the work continues.
        if !self.terminal {
            if fresh {
                lines::say(format!("{step}\n"));
            }
            return;
        }
        if now.drawn.is_some_and(|at| at.elapsed() < EVERY) && done < total {
            return;
        }
        now.drawn = Some(Instant::now());
        let full = (done * WIDTH).checked_div(total).unwrap_or(0).min(WIDTH);
        let bar = "#".repeat(full as usize) + &"-".repeat((WIDTH - full) as usize);
        let percent = (done * 100).checked_div(total).unwrap_or(0);
        lines::say(format!("\r\x1b[K[{bar}] {percent:3} %  {step}"));
    }
}

impl Watch for Bar {
    fn step(&self, step: Step, partition: Option<&Partition>) {
        match partition {
            // Blocks of all partitions are one bar: the step is named by the first.
            Some(_) if step == Step::Writing => {}
            Some(part) => self.draw(&format!("{} {}", step.words(), part.name), 0, 1),
            None => self.draw(step.words(), 0, 1),
        }
    }

    fn block(&self, _partition: &Partition, _number: u32, _state: BlockState) {}

    fn progress(&self, done: u32, total: u32) {
        self.draw(Step::Writing.words(), done.into(), total.into());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.terminal {
            lines::say("\r\x1b[K".to_owned());
        }
        lines::flush();
    }
}

//! Every system call that needs `unsafe`: one thin wrapper each, with a SAFETY note. No logic lives here.

mod stacks;

pub use stacks::{DEFAULT_STACK, set_default_stack};

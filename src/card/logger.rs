//! The program's messages: simplelog writes them, one line for each, `[LEVEL] words`. There is no
//! clock to trust, so lines carry none. Not here: where the lines go ([`super::log`]).

use std::io::Write;

use log::{LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger};

/// Sends the program's messages, up to `level`, to a writer. The first call of a process counts;
/// `log::set_max_level` changes the level later.
pub fn to(level: LevelFilter, out: impl Write + Send + 'static) {
    if log::set_boxed_logger(Box::new(logger(out))).is_ok() {
        log::set_max_level(level);
    }
}

fn logger<W: Write + Send + 'static>(out: W) -> Formatted<WriteLogger<W>> {
    let config = ConfigBuilder::new()
        .set_time_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .build();
    Formatted(*WriteLogger::new(LevelFilter::Trace, config, out))
}

/// Formats a message before simplelog takes its lock: a value that panics while it is shown would
/// poison that lock, and every later message of every thread would panic too.
struct Formatted<L>(L);

impl<L: Log> Log for Formatted<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level() && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let text = record.args().to_string();
            let (metadata, args) = (record.metadata().clone(), format_args!("{text}"));
            self.0.log(&Record::builder().metadata(metadata).args(args).build());
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Bad;

    impl fmt::Display for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("a value that cannot be shown")
        }
    }

    #[test]
    fn a_line_is_its_level_and_its_words_and_a_value_that_panics_silences_nobody() {
        log::set_max_level(LevelFilter::Info);
        let kept = Kept::default();
        let logger = logger(kept.clone());
        let say = |level, words: fmt::Arguments<'_>| {
            logger.log(&Record::builder().level(level).args(words).build());
        };
        say(log::Level::Warn, format_args!("the card is full"));
        say(log::Level::Debug, format_args!("below the level"));
        let broken =
            catch_unwind(AssertUnwindSafe(|| say(log::Level::Info, format_args!("{Bad}"))));
        broken.unwrap_err();
        say(log::Level::Info, format_args!("still here"));
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "[WARN] the card is full\n[INFO] still here\n");
    }
}

//! `hack.toml`: what is wrong is named with its line; what is set arrives unchanged.

use std::fs;
use std::path::Path;

use mi360d::services::manifest::parse;
use mi360d::services::setting::MASK;
use mi360d::services::{ServiceError, ServiceState, Value, Values};

use crate::rig::{Card, text_of, wait};

/// Text of a `hack.toml`, the line that is wrong, and a word of what is said.
const BROKEN: [(&str, usize, &str); 33] = [
    ("id = \"cam\"\nexec = [\"x\"", 2, ""),
    ("id = \"cam\"\nexec = \"x\"", 2, "expected a list"),
    ("exec = [\"x\"]", 1, "missing field `id`"),
    ("id = \"cam\"", 1, "no 'exec'"),
    ("id = \"other\"\nexec = [\"x\"]", 1, "folder's name 'cam'"),
    ("id = \"ca m\"\nexec = [\"x\"]", 1, "letters, digits"),
    ("id = \"cam\"\nexec = []", 2, "1 to 64"),
    ("id = \"cam\"\nexec = [\"\"]", 2, "begins with the program"),
    (
        "id = \"cam\"\nexec = [\"{settings.p}\"]\n[settings.p]\ntype = \"text\"",
        2,
        "cannot come from a setting",
    ),
    ("id = \"cam\"\nexec = [\n\"x\",\n\"{settings.port}\"]", 4, "no [settings.port]"),
    ("id = \"cam\"\nexec = [\"x\", \"{settings\"]", 2, "without its '}'"),
    ("id = \"cam\"\nexec = [\"x\", \"{hack}\"]", 2, "does not exist"),
    ("id = \"cam\"\nexec = [\"x\"]\nexce = 1", 3, "unknown field `exce`"),
    ("id = \"cam\"\nid = \"cam\"\nexec = [\"x\"]", 2, "duplicate key"),
    (
        "id = \"cam\"\nexec = [\"x\"]\nrestart = \"often\"",
        3,
        "one of `always`, `on-failure`, `never`",
    ),
    ("id = \"cam\"\nexec = [\"x\"]\nneeds = [\"cam\"]", 3, "cannot need itself"),
    ("id = \"cam\"\nexec = [\"x\"]\nfifos = [\"../up\"]", 3, "'fifos' needs names"),
    ("id = \"cam\"\nexec = [\"x\"]\nfifos = [\"a\", \"a\"]", 3, "twice"),
    ("id = \"cam\"\nexec = [\"x\"]\nstop_seconds = 0", 3, "from 1 to 60"),
    ("id = \"cam\"\nexec = [\"x\"]\n[ready]\nport = 70000", 4, "1 to 65535"),
    ("id = \"cam\"\nexec = [\"x\"]\n[ready]\nport_setting = \"p\"", 4, "not an integer setting"),
    ("id = \"cam\"\nexec = [\"x\"]\n[ready]\nport = 1\nfile = \"x\"", 3, "one of"),
    ("id = \"cam\"\nexec = [\"x\"]\n[limits]\nnice = -20", 4, "from 0 to 19"),
    ("id = \"cam\"\nexec = [\"x\"]\n[limits]\noom_score = -1000", 4, "from 100 to 1000"),
    ("id = \"cam\"\nexec = [\"x\"]\n[env]\n\"A=B\" = \"c\"", 4, "variable's name"),
    ("id = \"cam\"\nexec = [\"x\"]\n[settings.a]\ntype = \"float\"", 4, "one of `bool`"),
    (
        "id = \"cam\"\nexec = [\"x\"]\n[settings.a]\ntype = \"integer\"\nmin = 1\nmax = 5\ndefault = 9",
        7,
        "from 1 to 5",
    ),
    (
        "id = \"cam\"\nexec = [\"x\"]\n[settings.a]\ntype = \"integer\"\nmin = 5\nmax = 1",
        5,
        "'min' is more",
    ),
    ("id = \"cam\"\nexec = [\"x\"]\n[settings.a]\ntype = \"enum\"", 3, "needs 'choices'"),
    (
        "id = \"cam\"\nexec = [\"x\"]\n[settings.a]\ntype = \"enum\"\nchoices = [\"x\"]\ndefault = \"y\"",
        6,
        "one of: x",
    ),
    (
        "id = \"cam\"\nexec = [\"x\"]\n[settings.a]\ntype = \"bool\"\nmin = 1",
        3,
        "'min' cannot be used with",
    ),
    (
        "id = \"cam\"\nexec = [\"x\"]\n[settings.a]\ntype = \"secret\"\ndefault = \"s\"",
        5,
        "cannot have a default",
    ),
    (
        "id = \"cam\"\nexec = [\"x\", \"{settings.a}\"]\n[settings.a]\ntype = \"secret\"",
        2,
        "is a secret",
    ),
];

#[test]
fn each_broken_hack_toml_is_named_with_its_line_and_a_hint() {
    for (text, line, word) in BROKEN {
        let fault = parse(text.as_bytes(), Path::new("/hacks/cam")).expect_err(text);
        assert_eq!(fault.line, Some(line), "{text}\n{fault}");
        assert!(fault.message.contains(word) && !fault.hint.is_empty(), "{text}\n{fault:?}");
    }
    for bytes in [&b"id = \"\xff\""[..], &vec![b'#'; 0x1_0001]] {
        parse(bytes, Path::new("/hacks/cam")).unwrap_err();
    }
    assert!(parse(b"# \xff", Path::new("/hacks/cam")).unwrap_err().line == Some(1));
}

#[test]
fn a_broken_hack_is_shown_as_broken_and_the_next_one_runs() {
    let card = Card::new();
    card.write("hacks/broken/hack.toml", "id = \"broken\"\nexec = [\"x\"]\nfoo = 1\n");
    card.write("hacks/empty/hack.toml", "");
    card.script("good", "exec sleep 600", "");
    let running = card.start();
    running.state("good", ServiceState::Running);
    let view = running.state("broken", ServiceState::Broken);
    assert_eq!(view.fault.as_ref().unwrap().line, Some(3));
    assert!(view.reason.contains("line 3"), "{view:?}");
    running.state("empty", ServiceState::Broken);
    let refused = running.services.put("broken", Some(true), &Values::new());
    assert!(matches!(refused, Err(ServiceError::Broken { .. })));
    // Mended while it runs: no restart is needed.
    card.script("broken", "exec sleep 600", "");
    running.state("broken", ServiceState::Running);
}

#[test]
fn any_bytes_are_a_hack_or_a_fault() {
    proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200))| {
        let _ = parse(&bytes, Path::new("/hacks/cam"));
    });
}

const EVERY_TYPE: &str = r#"id = "args"
enabled = true
exec = ["./run.sh", "{settings.text}", "{settings.list}", "--n={settings.number}", "{settings.word}"]
[env]
SECRET = "{settings.secret}"
[settings.text]
type = "text"
max_length = 4096
[settings.list]
type = "list"
[settings.number]
type = "integer"
min = -5
max = 70000
default = 3
[settings.word]
type = "enum"
choices = ["one", "two"]
[settings.yes]
type = "bool"
args = ["--yes", "{settings.yes}"]
[settings.secret]
type = "secret"
min_length = 4
[settings.key]
type = "secret"
file = "key"
"#;

/// Writes what it was started with: each argument with a NUL behind it.
const WRITE_ARGUMENTS: &str = "#!/bin/sh\nprintf '%s\\0' \"$@\" >$HOME/new\n\
    printf '%s' \"$SECRET\" >$HOME/secret\nmv $HOME/new $HOME/args\nexec sleep 600\n";

#[test]
fn hostile_values_arrive_unchanged_and_nothing_is_interpreted() {
    let card = Card::new();
    card.write("hacks/args/hack.toml", EVERY_TYPE);
    card.write("hacks/args/run.sh", WRITE_ARGUMENTS);
    let running = card.start();
    let args = || {
        let bytes = fs::read(card.run("args").join("args")).ok()?;
        let text = String::from_utf8(bytes).unwrap();
        Some(text.split_terminator('\0').map(str::to_owned).collect::<Vec<_>>())
    };
    let wait_args = |wanted: &[&str]| {
        wait(|| args().filter(|got| got == wanted), || format!("{:?}, wanted {wanted:?}", args()));
    };
    wait_args(&["", "--n=3", "one"]);
    for hostile in [
        "; reboot",
        "$(id)",
        "`id`",
        "a\nb\n",
        "'\"\\",
        "{hack.dir}",
        "{settings.secret}",
        "-rf /",
        "  spaced  ",
        "\u{1b}[2J",
        "| tee /tmp/x &",
        "\u{fc}\u{20ac}",
        "\r\n",
    ] {
        let values = Values::from([
            ("text".to_owned(), Value::Text(hostile.into())),
            ("list".to_owned(), Value::List(vec![hostile.into(), String::new(), "x".into()])),
            ("number".to_owned(), Value::Integer(-5)),
            ("yes".to_owned(), Value::Bool(true)),
            ("secret".to_owned(), Value::Text(format!("{hostile}1234"))),
            ("key".to_owned(), Value::Text(hostile.into())),
        ]);
        running.services.put("args", None, &values).unwrap();
        wait_args(&[hostile, hostile, "", "x", "--n=-5", "one", "--yes", "true"]);
        let secret = card.run("args").join("secret");
        assert_eq!(fs::read_to_string(secret).unwrap(), format!("{hostile}1234"));
        assert_eq!(fs::read_to_string(card.run("args").join("key")).unwrap(), hostile);
    }
}

#[test]
fn a_wrong_value_is_refused_by_name_and_changes_nothing() {
    let card = Card::new();
    card.write("hacks/args/hack.toml", EVERY_TYPE);
    card.write("hacks/args/run.sh", WRITE_ARGUMENTS);
    card.write("mi360d/config.toml", "# mine\n");
    let running = card.start();
    for (name, value) in [
        ("text", Value::Text("x".repeat(4097))),
        ("text", Value::Text("nul\0".into())),
        ("text", Value::Integer(1)),
        ("list", Value::List(vec![String::new(); 17])),
        ("number", Value::Integer(70001)),
        ("word", Value::Text("three".into())),
        ("yes", Value::Text("true".into())),
        ("secret", Value::Text("abc".into())),
        ("nothing", Value::Bool(true)),
    ] {
        let said = running.services.put("args", None, &Values::from([(name.into(), value)]));
        match said {
            Err(ServiceError::Setting { name: said, .. }) => assert_eq!(said, name),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(fs::read_to_string(card.path("mi360d/config.toml")).unwrap(), "# mine\n");
    }
}

#[test]
fn a_secret_is_shown_nowhere_and_its_mask_changes_nothing() {
    let card = Card::new();
    card.write("hacks/args/hack.toml", EVERY_TYPE);
    card.write("hacks/args/run.sh", WRITE_ARGUMENTS);
    let running = card.start();
    let put = |text: &str| {
        let values = Values::from([("secret".to_owned(), Value::Text(text.into()))]);
        running.services.put("args", None, &values).unwrap()
    };
    put("hunter2hunter2");
    let view = put(MASK);
    wait(
        || {
            let secret = fs::read_to_string(card.run("args").join("secret")).ok()?;
            (secret == "hunter2hunter2").then_some(())
        },
        || "the secret does not arrive".into(),
    );
    let shown =
        format!("{view:?} {:?} {:?}", running.services.list(), running.services.log("args"));
    let json = serde_json::to_string(&running.services.list()).unwrap();
    assert!(!shown.contains("hunter2") && !json.contains("hunter2"), "{shown}");
    assert!(json.contains(r#""name":"secret""#) && json.contains(r#""set":true"#));
    let pid = view.programs[0]
        .pid
        .or_else(|| running.state("args", ServiceState::Running).programs[0].pid);
    let line = fs::read(format!("/proc/{}/cmdline", pid.unwrap())).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&line).contains("hunter2"));
}

#[test]
fn what_config_toml_says_holds_without_a_restart_and_a_mistake_in_it_is_that_hack_s_alone() {
    let card = Card::new();
    card.write("hacks/args/hack.toml", EVERY_TYPE);
    card.write("hacks/args/run.sh", WRITE_ARGUMENTS);
    card.script("other", "exec sleep 600", "");
    let running = card.start();
    running.state("args", ServiceState::Running);
    card.write("mi360d/config.toml", "[hacks.args.settings]\ntext = \"by hand\"\n");
    wait(
        || fs::read(card.run("args").join("args")).ok().filter(|b| b.starts_with(b"by hand\0")),
        || "config.toml is not heeded".into(),
    );
    card.write("mi360d/config.toml", "[hacks.args.settings]\nnumber = \"SECRET\"\n");
    let view = running.state("args", ServiceState::Broken);
    assert!(view.reason.contains("'number'") && !view.reason.contains("SECRET"), "{view:?}");
    card.write("mi360d/config.toml", "[hacks.args]\nenable = true\n");
    running.wait("args", "broken by its part", |v| v.reason.contains("[hacks.args]"));
    running.state("other", ServiceState::Running);
    card.write("mi360d/config.toml", "[hacks.args]\nenabled = false\n");
    running.state("args", ServiceState::Off);
    // A file that cannot be read at all changes nothing.
    card.write("mi360d/config.toml", "[hacks.other\nenabled = false\n");
    running.services.reload();
    running.state("other", ServiceState::Running);
    assert_eq!(text_of(&card.path("mi360d/config.toml")), "[hacks.other\nenabled = false\n");
}

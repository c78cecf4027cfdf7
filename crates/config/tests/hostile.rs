//! Malicious files: they are refused quickly, with a clear message.

use std::path::PathBuf;
use std::time::Duration;

use robocast_config::{LIMIT, LoadError, Problem, load, parse};

fn problems(bytes: &[u8]) -> Vec<Problem> {
    let start = cpu_time();
    let problems = parse(bytes).map_or_else(|p| p.iter().cloned().collect(), |checked| checked.warnings);
    assert!(cpu_time() - start < Duration::from_secs(5), "took {:?}", cpu_time() - start);
    problems
}

#[track_caller]
fn first(bytes: &[u8], expected: &str) {
    let problems = problems(bytes);
    let first = problems.first().expect("a problem");
    assert_eq!(format!("{}:{}: {}", first.line, first.column, first.message), expected);
}

fn file(name: &str, content: &[u8]) -> PathBuf {
    use std::io::Write as _;
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::File::create(&path).and_then(|mut f| f.write_all(content)).expect("a scratch file");
    path
}

#[test]
fn deep_nesting_neither_overflows_nor_hangs() {
    let deep = "nested deeper than 32 levels";
    for depth in [33, 80, 81, 10_000, 100_000] {
        let dots = vec!["a"; depth + 1].join(".");
        let tables = format!("{}1{}", "{a=".repeat(depth), "}".repeat(depth));
        let arrays = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        first(format!("a = {arrays}").as_bytes(), &format!("1:37: {deep}"));
        if depth <= 10_000 {
            first(format!("a = {tables}").as_bytes(), &format!("1:{}: {deep}", 4 + 32 * 3 + 1));
        }
        first(format!("{dots} = 1").as_bytes(), &format!("1:66: {deep}"));
        first(format!("[{dots}]").as_bytes(), &format!("1:65: {deep}"));
        first(format!("[[{dots}]]").as_bytes(), &format!("1:64: {deep}"));
        first(format!("a = {}", "[".repeat(depth)).as_bytes(), &format!("1:37: {deep}"));
        first(
            format!("a = {}", "[{a=".repeat(depth / 2 + 1)).as_bytes(),
            &format!("1:{}: {deep}", 4 + 16 * 4 + 1),
        );
    }
    // Each limit of the parser by itself would accept this: 79 dots inside each of 79 brackets.
    let dots = vec!["a"; 79].join(".");
    let mixed = format!("[{dots}]\n{dots} = {}1", format!("{{ {dots} = ").repeat(79));
    assert_eq!(problems(mixed.as_bytes())[0].message, deep);
    // Every line is as deep as allowed, many times over.
    let dots = vec!["a"; 31].join(".");
    problems(format!("schema = 1\n[{dots}]\n{dots} = {{ b = 1 }}\n").as_bytes());
}

#[test]
fn a_small_stack_is_enough() {
    let dots = vec!["a"; 30].join(".");
    let documents = [
        format!("[{dots}]\n{dots} = 1"),
        format!("a = {}1{}", "[".repeat(32), "]".repeat(32)),
        "[".repeat(LIMIT),
        "a.".repeat(LIMIT / 2),
        "{a=".repeat(LIMIT / 3),
    ];
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let thread = small.spawn(move || documents.iter().map(|d| problems(d.as_bytes()).len()).sum::<usize>());
    assert!(thread.expect("a thread").join().expect("no overflow") > 0);
}

#[test]
fn a_file_that_is_too_large_is_refused_at_once() {
    let path = file("large", &vec![b'x'; 10 * 1024 * 1024]);
    let start = cpu_time();
    let error = load(&path).expect_err("too large");
    assert!(cpu_time() - start < Duration::from_millis(100), "took {:?}", cpu_time() - start);
    let expected = format!(
        "{}:1:1: error: the file is larger than 256 KiB\n  hint: this is probably not a settings file",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    first(&vec![b'x'; LIMIT + 1], "1:1: the file is larger than 256 KiB");
    first(&vec![b'x'; LIMIT], &format!("1:{}: key with no value", LIMIT + 1));
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let missing = load(&PathBuf::from("/nonexistent/robocast.toml")).expect_err("no such file");
    assert_eq!(missing.to_string(), "cannot read /nonexistent/robocast.toml");
    assert!(matches!(missing, LoadError::Read { .. }));
    assert!(matches!(load(&PathBuf::from(env!("CARGO_TARGET_TMPDIR"))), Err(LoadError::Read { .. })));
}

#[test]
fn an_endless_file_is_refused() {
    let start = cpu_time();
    assert!(matches!(load(&PathBuf::from("/dev/zero")), Err(LoadError::Invalid { .. })));
    assert!(cpu_time() - start < Duration::from_millis(500));
}

#[test]
fn another_encoding_is_reported() {
    let text = "schema = 1\r\n[page]\r\npassword = \"hunter2\"\r\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let (le, be) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
    let expected = "1:1: the file is UTF-16, not UTF-8";
    first(&le, expected);
    first(&be, expected);
    first(&[&[0xff, 0xfe][..], &le].concat(), expected);
    first(&[&[0xfe, 0xff][..], &be].concat(), expected);
    first(b"schema = 1\nname = \"M\xfcller\"\n", "2:10: byte 0xfc is not UTF-8");
    first("schema = 1\nü = \"ü".as_bytes().split_last().expect("bytes").1, "2:6: byte 0xc3 is not UTF-8");
    first(b"schema = 1\n\0\0\0", "2:1: a zero byte: this is not a text file");
    first(b"\x7fELF\x02\x01\x01\0\0\0\xff\xfe", "1:8: a zero byte: this is not a text file");
    first(&[0; 64], "1:1: a zero byte: this is not a text file");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let text = "\u{feff}schema = 1\r\n[page]\r\npassword = \"hunter2\"\r\n";
    let checked = parse(text.as_bytes()).expect("valid");
    assert_eq!(checked.settings.page.expect("a page").password.expose(), "hunter2");
    first("\u{feff}schema = 2\r\n".as_bytes(), "1:10: schema 2 is newer than this release knows");
    first("\u{feff}schema = 1\r\n[pag]\r\n".as_bytes(), "2:2: unknown table `pag`");
}

#[test]
fn a_lone_carriage_return_is_reported() {
    first(b"schema = 1\r[page]\rpassword = \"hunter2\"\r", "1:11: a carriage return without a line feed");
    first(b"schema = 1\r\n[page]\r", "2:7: a carriage return without a line feed");
}

#[test]
fn fifty_errors_are_shown_and_the_others_counted() {
    let document =
        |n: usize| format!("schema = 1\n{}", (0..n).map(|i| format!("k{i} = 1\n")).collect::<String>());
    assert_eq!(problems(document(50).as_bytes()).len(), 50);
    for (n, last) in
        [(51, "52:1: 1 more error from here on"), (20_000, "52:1: 19950 more errors from here on")]
    {
        let problems = problems(document(n).as_bytes());
        assert_eq!(problems.len(), 51);
        assert_eq!((problems[0].line, problems[49].line), (2, 51), "the first ones are shown, by position");
        assert_eq!(format!("{}:{}: {}", problems[50].line, problems[50].column, problems[50].message), last);
    }
}

/// Repeats a piece until the file has this size; `{}` in it is replaced by a number.
fn full(size: usize, start: &str, piece: &str, end: &str) -> Vec<u8> {
    let mut text = start.to_owned();
    for number in 0.. {
        let next = piece.replace("{}", &number.to_string());
        if text.len() + next.len() + end.len() > size {
            break;
        }
        text.push_str(&next);
    }
    text.push_str(end);
    text.into_bytes()
}

/// The CPU time of this thread. Wall-clock time would be meaningless on a busy machine.
fn cpu_time() -> Duration {
    let words = std::fs::read_to_string("/proc/thread-self/schedstat")
        .expect("the kernel counts its threads' CPU time");
    let nanoseconds = words.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the first word is the CPU time in ns"))
}

/// The CPU time that parsing a document takes.
fn cost(document: &[u8]) -> Duration {
    let start = cpu_time();
    let _ = parse(document);
    cpu_time() - start
}

/// A file four times as large may take four times the CPU time, not sixteen times: quadratic work would block the box. A bad
/// result is measured again, because other programs on the machine disturb the measurement.
#[test]
fn the_work_grows_only_linearly_with_the_file_whatever_it_contains() {
    let stream = "schema = 1\n[[stream]]\nname = \"a\"\nsource = \"test:\"\n";
    for (start, piece) in [
        ("schema = 1\n", "a{}=1\n"),
        ("schema = 1\n", "a\n"),
        ("schema = 1\n", "a=\n"),
        ("schema = 1\n", "a=1\n"),
        ("schema = 1\n", "=\n"),
        ("schema = 1\n", "[[stream]]\n"),
        ("schema = 1\n", "[stream]\n"),
        ("schema = 1\n", "[[stream]\n"),
        ("schema = 1\n", "[a{}]\n"),
        ("schema = 1\n", "[\n"),
        ("schema = 1\n", "]\n"),
        ("schema = 1\n", "a.b{}.c=1\n"),
        ("schema = 1\n", "[[stream]]\nname=\"a\"\n"),
        ("schema = 1\n", "[[stream]]\nnome=\"a\"\n"),
        ("schema = 1\n", "[[stream]]\nname=\"a{}\"\nsource=\"test:\"\n"),
        ("schema = 1\n", "[[uplink.wifi]]\nssid=\"a\"\n"),
        ("schema = 1\nuplink.order = [", "\"wifi\","),
        ("schema = 1\nx = [", "1,"),
        ("schema = 1\nx = [", "x,"),
        ("schema = 1\nx = [", "{},"),
        ("schema = 1\nx = {", "a{}=1,"),
        ("schema = 1\nx = {", "a=1,"),
        ("schema = 1\nx = ", "x."),
        ("schema = 1\nx = \"", "\\q"),
        ("schema = 1\nx = \"", "é"),
        ("schema = 1\n", "\"\"\""),
        ("schema = 1\n", "\""),
        ("schema = 1\n", "'a"),
        ("schema = 1\n", "#"),
        ("schema = 1\n", " "),
        ("schema = 1\n", "\n"),
        ("schema = 1\n", "a=[ "),
        ("schema = 1\n", "a=1 "),
        ("schema = 1 ", "\u{1}"),
        (&format!("{stream}push = ["), "\"rtmp://h/a/{}\","),
        (&format!("{stream}push = ["), "\"rtmp://h/a/b\","),
        (&format!("{stream}push = ["), "\"x\","),
        (&format!("{stream}push = [\"srt://h:1?"), "a&"),
        (&format!("{stream}source = \"rtsp://h/?"), "a&"),
        (&format!("{stream}bitrate = {{ min = \""), "9"),
        ("schema = 1\ntls.ca = \"\"\"\n", "-----BEGIN CERTIFICATE-----\n"),
    ] {
        let ends: &[&str] = match start {
            "schema = 1\n" => &[""],
            _ => &["", "]", "\"]"],
        };
        for end in ends {
            let (small, large) = (full(LIMIT / 8, start, piece, end), full(LIMIT / 2, start, piece, end));
            let linear = || cost(&large) < cost(&small) * 9 + Duration::from_millis(50);
            assert!(
                linear() || linear() || linear(),
                "a file of {piece:?}{end} that is four times as large takes more than nine times the work"
            );
        }
    }
}

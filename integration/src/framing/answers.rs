//! HTTP/1 answers, read by the letter: what a proxy sends must leave no doubt.

/// One answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its status line and fields.
    pub head: String,
    /// What came of its body.
    pub body: String,
    /// Whether the body came to its end.
    pub complete: bool,
}

/// All answers in `bytes`, the whole of a connection, to requests of which
/// `is_head` says whether they were HEAD; interim answers are passed over.
///
/// # Panics
/// When a byte belongs to none of them.
pub fn answers(bytes: &str, is_head: &[bool]) -> Vec<Answer> {
    let (mut rest, mut answers) = (bytes, Vec::<Answer>::new());
    while !rest.is_empty() {
        let (head, after) = rest.split_once("\r\n\r\n").expect("a whole head");
        let status = status(head);
        if (100..200).contains(&status) && status != 101 {
            rest = after;
            continue;
        }
        let head_only = is_head.get(answers.len()).copied().unwrap_or_default();
        let bodiless = head_only || matches!(status, 101 | 204 | 304);
        let (body, complete, next) = match framing(head) {
            _ if bodiless => (String::new(), true, after),
            Framing::Length(length) if after.len() < length => (after.into(), false, ""),
            Framing::Length(length) => (after[..length].into(), true, &after[length..]),
            Framing::Chunked => chunks(after),
            Framing::Close => (after.into(), true, ""),
        };
        answers.push(Answer {
            status,
            head: head.into(),
            body,
            complete,
        });
        rest = next;
    }
    answers
}

enum Framing {
    Length(usize),
    Chunked,
    Close,
}

fn status(head: &str) -> u16 {
    let line = head.lines().next().unwrap();
    let rest = line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "))
        .unwrap_or_else(|| panic!("no status line: {line:?}"));
    assert_eq!(rest.as_bytes().get(3), Some(&b' '), "{line:?}");
    rest[..3].parse().unwrap()
}

/// Exactly one way to find the end, and no byte that another may read otherwise.
fn framing(head: &str) -> Framing {
    let (mut length, mut chunked) = (None, false);
    for line in head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| {
            panic!("no field: {line:?}");
        });
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        assert!(!name.is_empty() && name.bytes().all(token), "{line:?}");
        assert!(!value.contains(['\r', '\n', '\0']), "{line:?}");
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                assert!(length.is_none(), "two lengths: {head:?}");
                assert!(value.bytes().all(|b| b.is_ascii_digit()), "{line:?}");
                length = Some(value.parse().unwrap());
            }
            "transfer-encoding" => {
                assert!(!chunked && value == "chunked", "{line:?}");
                chunked = true;
            }
            _ => {}
        }
    }
    match (length, chunked) {
        (Some(_), true) => panic!("length and encoding: {head:?}"),
        (Some(length), false) => Framing::Length(length),
        (None, true) => Framing::Chunked,
        (None, false) => Framing::Close,
    }
}

/// A chunked body, whether it is complete, and what follows it.
fn chunks(mut rest: &str) -> (String, bool, &str) {
    let mut body = String::new();
    loop {
        let Some((size, after)) = rest.split_once("\r\n") else {
            return (body, false, "");
        };
        let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("size {size:?}"));
        if size == 0 {
            // Trailers, if any, up to an empty line.
            let end = format!("\r\n{after}").find("\r\n\r\n");
            return match end {
                Some(at) => (body, true, &after[at + 2..]),
                None => (body, false, ""),
            };
        }
        if after.len() < size + 2 {
            return (body + &after[..after.len().min(size)], false, "");
        }
        assert_eq!(&after[size..size + 2], "\r\n");
        body += &after[..size];
        rest = &after[size + 2..];
    }
}

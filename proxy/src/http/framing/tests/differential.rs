//! hyper and [`Framing`] side by side on requests that are valid, or were and
//! then got damaged: what the one passes the other must frame in the same way.

use super::wire::{Answer, Seen, seen_unguarded, serve_with};
use super::{Framing, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const LINES: [&str; 26] = [
    "x-a: b",
    "accept: */*",
    "cookie: a=b; c=\"d\"",
    "expect: 100-continue",
    "te: trailers",
    "upgrade: websocket",
    "connection: keep-alive",
    "connection: close",
    "host: c",
    "host: a",
    "content-length: 5",
    "content-length: 0",
    "Content-Length: 3, 3",
    "content-length:  3 ",
    "transfer-encoding: chunked",
    "Transfer-Encoding: CHUNKED",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: identity",
    " folded",
    "x: y\nz: 1",
    "x : y",
    "x:",
    "trailer: x",
    "content-length: 18446744073709551615",
    "content-length: 9223372036854775808",
    "x: \u{e9}",
];
const BYTES: &[u8] = b"\r\n\0\t :;,0159afx+-\x7f\x80\x0b";

/// One request and the body it is to have.
fn request() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let method = select(vec!["GET", "POST", "CONNECT", "X"]);
    let chunks = vec(
        (
            vec(any::<u8>(), 1..40),
            select(vec!["", ";a", ";a=\"b c\""]),
        ),
        0..4,
    );
    let trailer = select(vec!["", "x-sum: 1\r\n", "a:\r\nb: c\r\n"]);
    let lines = vec(select(LINES[..6].to_vec()), 0..3);
    (method, any::<bool>(), chunks, trailer, lines).prop_map(
        |(method, chunked, chunks, trailer, lines)| {
            let chunks = if method == "CONNECT" {
                Vec::new()
            } else {
                chunks
            };
            let body = chunks
                .iter()
                .flat_map(|(data, _)| data.clone())
                .collect::<Vec<u8>>();
            let mut bytes = format!("{method} a:1 HTTP/1.1\r\nhost: a\r\n").into_bytes();
            for line in lines {
                bytes.extend(format!("{line}\r\n").bytes());
            }
            if method == "CONNECT" {
                bytes.extend(b"\r\n");
            } else if chunked {
                bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                for (data, extension) in chunks {
                    bytes.extend(format!("{:x}{extension}\r\n", data.len()).bytes());
                    bytes.extend([&data[..], b"\r\n"].concat());
                }
                bytes.extend(format!("0\r\n{trailer}\r\n").bytes());
            } else {
                bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(&body);
            }
            (bytes, body)
        },
    )
}

#[derive(Clone, Debug)]
enum Damage {
    Replace(Place, u8),
    Insert(Place, u8),
    Remove(Place),
    /// A line put behind one of the lines there are.
    Line(Index, &'static str),
    Cut(Index),
}

/// Any byte, or one of those that make the structure.
#[derive(Clone, Debug)]
enum Place {
    Any(Index),
    LineEnd(Index),
}

impl Place {
    fn find(&self, bytes: &[u8]) -> usize {
        match self {
            Place::Any(at) => at.index(bytes.len()),
            Place::LineEnd(at) => {
                let is_end = |(n, b): (usize, &u8)| b"\r\n".contains(b).then_some(n);
                let ends: Vec<usize> = bytes.iter().enumerate().filter_map(is_end).collect();
                if ends.is_empty() {
                    0
                } else {
                    ends[at.index(ends.len())]
                }
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![4 => select(BYTES), 1 => any::<u8>()];
    let place = || {
        let anywhere = any::<Index>().prop_map(Place::Any);
        prop_oneof![anywhere, any::<Index>().prop_map(Place::LineEnd)]
    };
    prop_oneof![
        2 => (place(), byte.clone()).prop_map(|(at, b)| Damage::Replace(at, b)),
        2 => (place(), byte).prop_map(|(at, b)| Damage::Insert(at, b)),
        2 => place().prop_map(Damage::Remove),
        4 => (any::<Index>(), select(&LINES[..])).prop_map(|(at, line)| Damage::Line(at, line)),
        1 => any::<Index>().prop_map(Damage::Cut),
    ]
}

fn damaged(mut bytes: Vec<u8>, damage: &[Damage]) -> Vec<u8> {
    for damage in damage {
        match damage {
            _ if bytes.is_empty() => {}
            Damage::Replace(place, b) => {
                let at = place.find(&bytes);
                bytes[at] = *b;
            }
            Damage::Insert(place, b) => bytes.insert(place.find(&bytes), *b),
            Damage::Remove(place) => drop(bytes.remove(place.find(&bytes))),
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Line(at, line) => {
                let at = Place::LineEnd(*at).find(&bytes) + 1;
                bytes.splice(at..at, format!("{line}\r\n").into_bytes());
            }
        }
    }
    bytes
}

/// The requests as [`Framing`] sees them: head's end and body; and whether it
/// refused. `closing` and `complete` are hyper's to say.
fn framed(bytes: &[u8]) -> (Vec<(usize, Vec<u8>)>, bool) {
    let (mut framing, mut found) = (Framing::new(), Vec::<(usize, Vec<u8>)>::new());
    for (n, b) in bytes.iter().enumerate() {
        let (data, requests) = (framing.in_data(), framing.requests());
        match framing.advance(&[*b]) {
            Step::Pass => {}
            Step::Hold { .. } => framing.resume(),
            Step::Refuse { .. } => return (found, true),
        }
        if data {
            found.last_mut().unwrap().1.push(*b);
        }
        if framing.requests() > requests {
            found.push((n + 1, Vec::new()));
        }
    }
    (found, false)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// What hyper saw of the requests whose heads [`Framing`] passed must be equal;
/// of a body that was refused, hyper alone may see more. Where hyper finds no
/// end of a body, [`Framing`] must not either.
fn same_framing(hyper: &[Seen], framed: &[(usize, Vec<u8>)], refused: bool) {
    for (n, (seen, (head_end, body))) in hyper.iter().zip(framed).enumerate() {
        let last = n + 1 == framed.len();
        assert_eq!(seen.head_end, *head_end);
        assert!(seen.complete || last);
        if refused && last {
            assert!(seen.body.starts_with(body));
        } else {
            assert_eq!(seen.body, *body);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn valid_requests_pass_and_keep_their_bodies(
        requests in vec(request(), 1..4),
        sizes in vec(1..100usize, 1..6),
    ) {
        let bytes: Vec<u8> = requests.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let bodies: Vec<_> = requests.into_iter().map(|(_, body)| body).collect();
        let served = block_on(serve_with(&bytes, &sizes, Answer::Refuse));
        prop_assert_eq!(served.violation, None);
        prop_assert!(served.seen.iter().all(|seen| seen.complete));
        let seen: Vec<_> = served.seen.into_iter().map(|seen| seen.body).collect();
        prop_assert_eq!(seen, bodies);
    }

    #[test]
    fn damaged_requests_are_framed_alike_or_refused(
        requests in vec(request(), 1..4),
        damage in vec(damage(), 1..4),
        sizes in vec(1..100usize, 1..6),
    ) {
        let bytes: Vec<u8> = requests.into_iter().flat_map(|(bytes, _)| bytes).collect();
        let bytes = damaged(bytes, &damage);
        let (framed, refused) = framed(&bytes);
        let alone = block_on(seen_unguarded(&bytes));
        same_framing(&alone, &framed, refused);

        let served = block_on(serve_with(&bytes, &sizes, Answer::Refuse));
        let guarded: Vec<_> = served.seen.iter().map(|seen| seen.body.clone()).collect();
        // The guard takes nothing away from what passes, and adds nothing.
        prop_assert!(guarded.len() <= framed.len());
        for (seen, (_, body)) in guarded.iter().zip(&framed) {
            prop_assert_eq!(seen, body);
        }
        let statuses = served.statuses();
        let closed = served.seen.last().is_some_and(|seen| seen.closing && seen.complete);
        if refused && !closed {
            // 414 and 431, or a 400 of its own, are hyper's, for what came before.
            prop_assert!(matches!(statuses.last(), Some(400 | 414 | 431)), "{:?}", statuses);
        }
        if !refused {
            prop_assert_eq!(served.violation, None);
            let alone: Vec<_> = alone.into_iter().map(|seen| seen.body).collect();
            prop_assert_eq!(guarded, alone);
        }
    }

    #[test]
    fn random_bytes_never_panic_and_segments_do_not_matter(
        bytes in vec(prop_oneof![3 => select(BYTES), 1 => any::<u8>()], 0..300),
        start in select(vec!["", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"]),
        sizes in vec(1..20usize, 1..6),
    ) {
        let bytes = [start.as_bytes(), &bytes].concat();
        let whole = Framing::new().advance(&bytes);
        let (mut framing, mut rest, mut pieces) = (Framing::new(), &bytes[..], Step::Pass);
        for size in sizes.iter().cycle() {
            let (piece, more) = rest.split_at(rest.len().min(*size));
            pieces = framing.advance(piece);
            rest = more;
            if pieces != Step::Pass || rest.is_empty() {
                break;
            }
        }
        match (whole, pieces) {
            (Step::Refuse { violation: a, part: p, .. }, Step::Refuse { violation: b, part: q, .. }) => {
                prop_assert_eq!((a, p), (b, q));
            }
            (Step::Hold { .. }, Step::Hold { .. }) | (Step::Pass, Step::Pass) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

//! Where a message ends: a state machine over a client's bytes.

use super::field::{Value, Word};
use super::grammar::{is_target, is_token, is_value, long_run, run};
use super::head::Head;
use super::violation::Violation;

/// Follows the requests of one connection.
#[derive(Clone, Debug, Default)]
pub struct Framing {
    state: State,
    word: Word,
    value: Value,
    head: Head,
    requests: u64,
}

/// How far input may be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All of it.
    Pass,
    /// Up to `at`, the end of a request whose answer decides what follows. Call
    /// [`Framing::resume`] once it is still HTTP, and not again if it is not.
    Hold {
        /// The first byte that is not to be passed on yet.
        at: usize,
    },
    /// Up to `at`, nothing after it, ever.
    Refuse {
        /// The first byte that is not to be passed on.
        at: usize,
        /// What is wrong with it.
        violation: Violation,
        /// What is incomplete without it.
        part: Part,
    },
}

/// The part of a message a byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A head, which ends with an empty line.
    Head,
    /// A body with its trailers. The request is already being served.
    Body,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Between requests.
    #[default]
    Idle,
    /// After the CR of an empty line before a request.
    IdleLf,
    Method,
    /// The request target; `true` when it has a byte.
    Target(bool),
    /// As many bytes of the version as were seen.
    Version(usize),
    VersionCr,
    LineLf,
    /// At the start of a field line, or of the empty line.
    Line,
    Name,
    Value,
    ValueLf,
    /// After the CR of the empty line.
    EndLf,
    /// Bytes left of a body with a length.
    Body(u64),
    /// A chunk's size so far; `None` before its first digit.
    ChunkSize(Option<u64>),
    /// In a chunk's extensions, to be passed over.
    ChunkExtension(u64),
    ChunkSizeLf(u64),
    /// Bytes left of a chunk.
    Chunk(u64),
    ChunkCr,
    ChunkLf,
    /// The answer decides what follows.
    Undecided,
}

const VERSION: &[u8] = b"HTTP/1.";

impl Framing {
    /// At the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests whose heads were complete so far.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Goes on after [`Step::Hold`]: the connection stayed HTTP.
    pub fn resume(&mut self) {
        self.state = State::Idle;
    }

    /// Follows the next bytes from the client.
    pub fn advance(&mut self, input: &[u8]) -> Step {
        let mut at = 0;
        while at < input.len() {
            match self.step(&input[at..]) {
                Ok(n) => at += n,
                Err(violation) => {
                    return Step::Refuse {
                        at,
                        violation,
                        part: self.part(),
                    };
                }
            }
            if let State::Undecided = self.state {
                return Step::Hold { at };
            }
        }
        Step::Pass
    }

    /// Takes at least one of `bytes`, or enters another state. An error is of
    /// the first byte, or of what it would complete: it must not be passed on.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        use State::*;
        match self.state {
            Idle | IdleLf | Method | Target(_) | Version(_) | VersionCr | LineLf => {
                self.request_line(bytes)
            }
            Line | Name | Value | ValueLf | EndLf => self.fields(bytes),
            Body(left) => Ok(self.skip(bytes, left, Body, None)),
            Chunk(left) => Ok(self.skip(bytes, left, Chunk, Some(ChunkCr))),
            ChunkSize(_) | ChunkExtension(_) | ChunkSizeLf(_) | ChunkCr | ChunkLf => {
                self.chunk_line(bytes[0])
            }
            Undecided => unreachable!("advance() stops here and resume() leaves it"),
        }
    }

    fn request_line(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let b = bytes[0];
        self.state = match self.state {
            State::Idle if b == b'\r' => State::IdleLf,
            State::Idle if is_token(b) => {
                (self.word, self.head) = (Word::default(), Head::default());
                self.state = State::Method;
                return Ok(0);
            }
            State::IdleLf if b == b'\n' => State::Idle,
            State::Method if is_token(b) => {
                let n = run(bytes, is_token);
                self.word.push(&bytes[..n]);
                return Ok(n);
            }
            State::Method if b == b' ' => {
                self.head.connect = self.word.is(b"CONNECT");
                State::Target(false)
            }
            State::Target(_) if is_target(b) => {
                self.state = State::Target(true);
                return Ok(long_run(bytes, is_target));
            }
            State::Target(true) if b == b' ' => State::Version(0),
            State::Version(0) if bytes.starts_with(VERSION) => {
                self.state = State::Version(VERSION.len());
                return Ok(VERSION.len());
            }
            State::Version(n) if VERSION.get(n) == Some(&b) => State::Version(n + 1),
            State::Version(n) if n == VERSION.len() && matches!(b, b'0' | b'1') => {
                self.head.http11 = b == b'1';
                State::VersionCr
            }
            State::VersionCr if b == b'\r' => State::LineLf,
            State::LineLf if b == b'\n' => State::Line,
            State::IdleLf | State::LineLf => return Err(Violation::BareLineEnd),
            _ if b == b'\n' => return Err(Violation::BareLineEnd),
            _ => return Err(Violation::RequestLine),
        };
        Ok(1)
    }

    fn fields(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let b = bytes[0];
        self.state = match self.state {
            State::Line if b == b'\r' => State::EndLf,
            State::Line if is_token(b) => {
                self.word = Word::default();
                self.state = State::Name;
                return Ok(0);
            }
            State::Line if b == b' ' || b == b'\t' => return Err(Violation::Folded),
            State::Name if is_token(b) => {
                let n = run(bytes, is_token);
                self.word.push(&bytes[..n]);
                return Ok(n);
            }
            State::Name if b == b':' => {
                self.value = Value::new(self.word.field());
                State::Value
            }
            State::Value if is_value(b) => {
                let n = long_run(bytes, is_value);
                self.value.push(&bytes[..n])?;
                return Ok(n);
            }
            State::Value if b == b'\r' => State::ValueLf,
            State::ValueLf if b == b'\n' => {
                let fact = self.value.finish()?;
                self.head.learn(fact)?;
                State::Line
            }
            State::EndLf if b == b'\n' => return self.end_of_fields(),
            State::ValueLf | State::EndLf => return Err(Violation::BareLineEnd),
            _ if b == b'\n' => return Err(Violation::BareLineEnd),
            State::Value => return Err(Violation::ControlByte),
            _ => return Err(Violation::FieldName),
        };
        Ok(1)
    }

    fn end_of_fields(&mut self) -> Result<usize, Violation> {
        if self.head.trailers {
            self.end_of_message();
            return Ok(1);
        }
        self.head.check()?;
        self.requests += 1;
        match self.head.length {
            _ if self.head.chunked => self.state = State::ChunkSize(None),
            Some(length) if length > 0 => self.state = State::Body(length),
            _ => self.end_of_message(),
        }
        Ok(1)
    }

    fn end_of_message(&mut self) {
        // As hyper: an Upgrade counts in HTTP/1.1, whatever Connection says.
        let tunnel = self.head.connect || self.head.upgrade && self.head.http11;
        self.state = if tunnel {
            State::Undecided
        } else {
            State::Idle
        };
    }

    /// Passes over a body or a chunk without looking at it.
    fn skip(
        &mut self,
        bytes: &[u8],
        left: u64,
        more: fn(u64) -> State,
        end: Option<State>,
    ) -> usize {
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        match (left - n as u64, end) {
            (0, Some(end)) => self.state = end,
            (0, None) => self.end_of_message(),
            (left, _) => self.state = more(left),
        }
        n
    }

    fn chunk_line(&mut self, b: u8) -> Result<usize, Violation> {
        self.state = match (self.state, b) {
            (State::ChunkSize(Some(size)), b'\r') => State::ChunkSizeLf(size),
            (State::ChunkSize(Some(size)), b';') => State::ChunkExtension(size),
            (State::ChunkSize(size), _) => State::ChunkSize(Some(longer(size.unwrap_or(0), b)?)),
            (State::ChunkExtension(size), b'\r') => State::ChunkSizeLf(size),
            (State::ChunkExtension(size), _) if is_value(b) => State::ChunkExtension(size),
            (State::ChunkSizeLf(0), b'\n') => {
                self.head.trailers = true;
                State::Line
            }
            (State::ChunkSizeLf(size), b'\n') => State::Chunk(size),
            (State::ChunkCr, b'\r') => State::ChunkLf,
            (State::ChunkLf, b'\n') => State::ChunkSize(None),
            (State::ChunkExtension(_), b'\n') | (State::ChunkSizeLf(_), _) => {
                return Err(Violation::BareLineEnd);
            }
            _ => return Err(Violation::ChunkEnd),
        };
        Ok(1)
    }

    /// Whether the next byte is a body's, and not of its framing.
    #[cfg(test)]
    pub(super) fn in_data(&self) -> bool {
        matches!(self.state, State::Body(_) | State::Chunk(_))
    }

    fn part(&self) -> Part {
        use State::*;
        match self.state {
            Line | Name | Value | ValueLf | EndLf if self.head.trailers => Part::Body,
            Body(_) | ChunkSize(_) | ChunkExtension(_) | ChunkSizeLf(_) => Part::Body,
            Chunk(_) | ChunkCr | ChunkLf => Part::Body,
            _ => Part::Head,
        }
    }
}

/// A chunk's size with one more digit.
fn longer(size: u64, b: u8) -> Result<u64, Violation> {
    let digit = char::from(b).to_digit(16).ok_or(Violation::ChunkSize)?;
    let size = size.checked_mul(16).ok_or(Violation::ChunkSize)?;
    Ok(size | u64::from(digit))
}
